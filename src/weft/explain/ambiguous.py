"""What an application may read otherwise than a policy did; see the compiler's module of the same purpose."""

from typing import Protocol

from weft.model.authorization import Attribute
from weft.view.access import Guards


class Readable(Protocol):
    """The parts of a question that can be read in two ways."""

    @property
    def bytes_only(self) -> bool: ...

    @property
    def path(self) -> str: ...

    @property
    def host(self) -> str: ...


def ambiguity(guards: Guards, asked: Readable, *, merges_slashes: bool) -> str:
    """What is ambiguous in a request and read by a policy, "" if nothing is."""
    if asked.bytes_only:
        return ""
    if guards.reads(Attribute.HOST) and (not asked.host or set(asked.host) & set(", \t@")):
        return "the host is empty, or has a comma, a space or an @"
    path = asked.path.partition("?")[0].partition("#")[0]
    return _path_sign(path, merges_slashes) if guards.reads(Attribute.PATH) else ""


def _path_sign(path: str, merges_slashes: bool) -> str:
    if "/.;" in path or "/..;" in path:
        return "the path has .. with a parameter"
    lowered = path.lower()
    if merges_slashes and ("//" in path or "%2f" in lowered or "%5c" in lowered):
        return "the path has doubled or escaped slashes"
    return ""
