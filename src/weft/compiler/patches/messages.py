"""The value of a patch as the Envoy message that it stands for."""

import difflib
import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from weft._pb.envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.kit.memo import memo
from weft.model.extension import PatchTarget
from weft.model.finding import Path

_MESSAGES: dict[PatchTarget, type[Message]] = {
    PatchTarget.LISTENER: Listener,
    PatchTarget.LISTENER_FILTER: ListenerFilter,
    PatchTarget.FILTER_CHAIN: FilterChain,
    PatchTarget.NETWORK_FILTER: Filter,
    PatchTarget.HTTP_FILTER: HttpFilter,
    PatchTarget.ROUTE_CONFIGURATION: RouteConfiguration,
    PatchTarget.VIRTUAL_HOST: VirtualHost,
    PatchTarget.HTTP_ROUTE: Route,
    PatchTarget.CLUSTER: Cluster,
    PatchTarget.EXTENSION_CONFIG: TypedExtensionConfig,
    PatchTarget.BOOTSTRAP: Bootstrap,
}
_TYPE = re.compile(r"type\.googleapis\.com/((?:[a-z][a-z0-9_]*\.)+)[A-Z][A-Za-z0-9]*")
_PLACE = re.compile(r'\bat "?[A-Z]\w*((?:\.\w+|\[[^\]]*\])*)"?')
_STEP = re.compile(r"\w+")
_FIELD = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "([^"]*)"')
_LONGEST = 300
_POOL = descriptor_pool.Default()


class Fault(NamedTuple):
    """Why a value is not the message; ``path`` lies below the value."""

    message: str
    path: Path = ()
    help: str = ""


@memo(4096)
def encoded(target: PatchTarget, value: bytes) -> bytes | Fault:
    """The value's message as bytes, because a message itself can be changed."""
    content = msgspec.json.decode(value)
    for path, url in _types_in(content):
        if not _load(url):
            return Fault(f"weft knows no message {url[:200]} of Envoy", path, _TYPED_STRUCT)
    message = _MESSAGES[target]()
    try:
        ParseDict(content, message)
    except (ParseError, ValueError, TypeError, AttributeError, KeyError) as wrong:
        return _fault(str(wrong), content)
    return message.SerializeToString(deterministic=True)


def message_of(target: PatchTarget, content: bytes) -> Message:
    """A message of one's own."""
    message = _MESSAGES[target]()
    message.ParseFromString(content)
    return message


_TYPED_STRUCT = "if Envoy has it, write an xds.type.v3.TypedStruct"


def _types_in(content: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every type that an ``Any`` below is said to have, with its place."""
    if isinstance(content, dict):
        if isinstance(content.get("@type"), str):
            yield (*path, "@type"), content["@type"]
        for name, below in content.items():
            yield from _types_in(below, (*path, name))
    elif isinstance(content, list):
        for index, below in enumerate(content):
            yield from _types_in(below, (*path, index))


def load_types(content: Any) -> None:
    """Make every type known that a message in JSON holds."""
    for _, url in _types_in(content):
        _load(url)


@memo(4096)
def _load(url: str) -> bool:
    """Make a type known to protobuf; a message's package says in which folder its module is."""
    found = _TYPE.fullmatch(url)
    if found is None:
        return False
    package = found[1].rstrip(".")
    name = "google.protobuf" if package == "google.protobuf" else f"weft._pb.{package}"
    try:
        folder = importlib.import_module(name)
        for module in pkgutil.iter_modules(folder.__path__):
            if module.name.endswith("_pb2"):
                importlib.import_module(f"{name}.{module.name}")
        _POOL.FindMessageTypeByName(_name_of(url))
    except (ModuleNotFoundError, KeyError):
        return False
    return True


def unpacked(url: str) -> Message | None:
    """An empty message of an ``Any``'s type, if weft knows it."""
    if not _load(url):
        return None
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(_name_of(url)))()


def _name_of(url: str) -> str:
    return url.rpartition("/")[2]


def _fault(text: str, content: Any) -> Fault:
    """Protobuf's words, shortened, and the place that they name in the user's own spelling."""
    place = _PLACE.search(text)
    ways = [_spelt(tuple(_STEP.findall(place[1])) if place else (), content), _spelt(_FIELD.findall(text), content)]
    path = max(ways, key=len)
    unknown = _UNKNOWN.search(text)
    if unknown:
        known = re.findall(r"'(\w+)'", text)
        near = difflib.get_close_matches(_camel(unknown[1]), known, n=1)
        advice = f'did you mean "{near[0]}"?' if near else ""
        return Fault(f'unknown field "{unknown[1][:80]}"', (*path, unknown[1]), advice)
    said = _FIELD.sub("", text).strip().rstrip(".")
    said = re.sub(r' at "?[A-Z][\w.\[\]"]*$', "", said)[:_LONGEST]
    return Fault(said[:1].lower() + said[1:], path)


def _spelt(steps: Sequence[str], content: Any) -> Path:
    """As far as the content has the steps, by the names that it uses."""
    path: list[str | int] = []
    for step in steps:
        if isinstance(content, list) and step.isdigit() and int(step) < len(content):
            path.append(int(step))
            content = content[int(step)]
            continue
        if isinstance(content, list) and len(content) == 1:
            path.append(0)
            content = content[0]
        name = next((one for one in (step, _camel(step)) if isinstance(content, dict) and one in content), None)
        if name is None:
            break
        path.append(name)
        content = content[name]
    return tuple(path)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(one.capitalize() for one in rest)
