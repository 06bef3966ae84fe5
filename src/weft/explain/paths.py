"""What a proxy does to a path before it looks at it (Envoy ``normalize_path``, ``merge_slashes``, escaped slashes)."""

import re
from collections.abc import Generator

from msgspec.structs import replace

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft.explain.call import Call, State, Step
from weft.explain.configuration import http_manager

ESCAPED_SLASH = re.compile(r"%2f|%5c", re.IGNORECASE)
_UNRESERVED = re.compile(r"%(2d|2e|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e)", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")


def normalized(listener: Listener, call: Call) -> Generator[Step, None, Call | None]:
    """The call as the proxy sees it; ``None`` where it turns the path away."""
    manager = http_manager(listener)
    if manager is None:
        return call
    path, mark, query = call.path.partition("?")
    if _refuses(manager, path):
        yield Step(name="path", what="400, for its escaped slashes can be read in two ways", state=State.FAILED)
        return None
    seen = _path(manager, path) + mark + query
    if seen == call.path:
        return call
    yield Step(name="path", what=seen, details=(f"{call.path} is normalized",))
    return replace(call, path=seen)


def _refuses(manager: HttpConnectionManager, path: str) -> bool:
    refuses = manager.path_with_escaped_slashes_action == HttpConnectionManager.REJECT_REQUEST
    return refuses and ESCAPED_SLASH.search(path) is not None


def _path(manager: HttpConnectionManager, path: str) -> str:
    """Slashes are unescaped, then dots are resolved, then slashes are merged."""
    if manager.path_with_escaped_slashes_action == HttpConnectionManager.UNESCAPE_AND_FORWARD:
        path = ESCAPED_SLASH.sub(lambda found: "/" if found[0][1] == "2" else "\\", path)
    if manager.normalize_path.value:
        path = without_dots(without_escapes(path).replace("\\", "/"))
    return without_doubles(path) if manager.merge_slashes else path


def without_escapes(path: str) -> str:
    """A path whose letters that need no escape have none."""
    return _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)


def without_doubles(path: str) -> str:
    """A path whose slashes stand alone."""
    return _SLASHES.sub("/", path)


def without_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    closed = segments[-1:] in (["."], [".."])
    return "/" + "/".join(kept) + ("/" if closed and kept else "")
