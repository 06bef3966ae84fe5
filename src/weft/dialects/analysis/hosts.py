"""Destinations of rules, also of documents that are refused: hosts that are not there or cannot be seen."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from weft.dialects.analysis.visible import EVERYBODY, seen_by
from weft.dialects.analysis.world import Thing, World
from weft.dialects.istio.types.destination_rule import DestinationRule
from weft.dialects.istio.types.matching import Destination
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.istio.types.virtual_service import VirtualService
from weft.dialects.syntax import qualify
from weft.model.finding import Finding, Path

_SUFFIX = "cluster.local"
_EXPORT_TO = "networking.istio.io/exportTo"


class Known(NamedTuple):
    """A host that documents define."""

    host: str
    scope: frozenset[str]
    ports: tuple[int, ...]


class _Book:
    """Known hosts by name, and those that begin with ``*``."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._exact: dict[str, list[Known]] = {}
        self._wildcards: list[Known] = []
        for one in known:
            if one.host.startswith("*"):
                self._wildcards.append(one)
            self._exact.setdefault(one.host, []).append(one)

    def of(self, host: str) -> list[Known]:
        """Those that define a host."""
        wide = [one for one in self._wildcards if one.host != host and host.endswith(one.host[1:])]
        return [*self._exact.get(host, ()), *wide]


def analyse(world: World) -> Iterator[Finding]:
    """Istio: ``DestinationHostAnalyzer``; and ``exportTo`` namespaces that do not exist."""
    book = _Book(_known(world))
    for thing, spec in world.of("VirtualService", VirtualService):
        for path, destination in destinations(spec):
            yield from _check(thing, path, destination, book) if destination.host else ()
        yield from _exports(world, thing, spec.export_to)
    for thing, rule in world.of("DestinationRule", DestinationRule):
        yield from _exports(world, thing, rule.export_to)
    for thing, entry in world.of("ServiceEntry", ServiceEntry):
        yield from _exports(world, thing, entry.export_to)


def destinations(spec: VirtualService) -> Iterator[tuple[Path, Destination]]:
    """Where rules send requests and connections, and copies of them."""
    for index, rule in enumerate(spec.http):
        path: Path = ("spec", "http", index)
        for place, one in enumerate(rule.route):
            yield (*path, "route", place, "destination"), one.destination
        if rule.mirror is not None:
            yield (*path, "mirror"), rule.mirror
        for place, copy in enumerate(rule.mirrors):
            yield (*path, "mirrors", place, "destination"), copy.destination
    shares = [("tls", index, rule.route) for index, rule in enumerate(spec.tls)]
    shares += [("tcp", index, rule.route) for index, rule in enumerate(spec.tcp)]
    for protocol, index, route in shares:
        for place, share in enumerate(route):
            yield ("spec", protocol, index, "route", place, "destination"), share.destination


def _known(world: World) -> Iterator[Known]:
    for one in world.services:
        told = one.thing.metadata.annotations.get(_EXPORT_TO, "")
        entries = [entry.strip() for entry in told.split(",") if entry.strip()]
        yield Known(one.host, seen_by(entries, one.thing.namespace), tuple(port.port for port in one.ports))
    for thing, spec in world.of("ServiceEntry", ServiceEntry):
        numbers = tuple(port.number or 0 for port in spec.ports)
        for host in spec.hosts:
            yield Known(host, seen_by(spec.export_to, thing.namespace), numbers)


def _check(thing: Thing, path: Path, destination: Destination, book: _Book) -> Iterator[Finding]:
    host = qualify(destination.host, thing.namespace, _SUFFIX)
    found = book.of(host)
    seen = [one for one in found if EVERYBODY in one.scope or thing.namespace in one.scope]
    if not seen and not any(one.host == host for one in found):
        message = f"nothing in the mesh is called {host}; calls are answered with 503 until it is there"
        yield thing.said("W0201", message, (*path, "host"), "create a Service or a ServiceEntry for it")
    elif not seen:
        message = f"{host} is not exported to the namespace {thing.namespace}"
        yield thing.said("W0432", message, (*path, "host"), "export it, or move the rules")
    elif len(seen[0].ports) > 1 and (destination.port is None or destination.port.number is None):
        numbers = ", ".join(map(str, seen[0].ports))
        message = f"{host} has the ports {numbers}, and Istio wants one of them named here"
        yield thing.said("W0207", message, path, "add port.number", note=True)


def _exports(world: World, thing: Thing, export_to: Sequence[str]) -> Iterator[Finding]:
    for index, name in enumerate(export_to):
        if name not in ("*", ".", "~") and name not in world.namespaces:
            message = f"there is no namespace {name[:80]}"
            path: Path = ("spec", "exportTo", index)
            yield thing.said("W0414", message, path, "check its name", note=not world.declared_namespaces)
