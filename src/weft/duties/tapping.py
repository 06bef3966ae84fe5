"""Live requests, composed: who watches which proxies, what these are sent for it, and that it ends.

A proxy is watched as long as somebody who watches it is on the board. Its script is sent again and again, for it works
no longer than ``LIFE`` seconds by itself; a control plane that starts anew knows of nobody, and sends what takes the
scripts away.
"""

import asyncio
from collections.abc import Callable, Iterable

from weft.compiler.resource import Resources
from weft.compiler.telemetry.tap import Tapped, tapped
from weft.compiler.telemetry.tap_script import LIFE
from weft.kit.latest import Latest
from weft.kit.redaction import Redactor
from weft.kit.value import Labels, Value, includes
from weft.model.mesh import Mesh
from weft.model.reporting import peer_of
from weft.model.service import Service
from weft.model.tap import Side, Target, Wanted
from weft.observe.tap.board import Board
from weft.view.node import Node

_EVERY = LIFE / 3
"""Seconds until scripts are sent again, and until somebody watches proxies that have come since."""


class Tapping:
    """``board`` is for those who watch, ``altered`` for the pipeline. ``hidden`` are patterns of names whose values are
    not shown, beside the usual ones."""

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        self.board = Board(self._changed)
        self.redactor = Redactor(hidden)
        self._latest: Latest[Mesh] = Latest()
        self._nodes: Callable[[], tuple[Node, ...]] = tuple
        self._again: Callable[[], None] = lambda: None
        self._wanted: dict[str, Tapped] = {}
        self._serial = 0

    def follow(self, latest: Latest[Mesh], nodes: Callable[[], tuple[Node, ...]], again: Callable[[], None]) -> None:
        """Know the mesh and the proxies that are connected; ``again`` has them looked at again."""
        self._latest, self._nodes, self._again = latest, nodes, again

    def altered(self, resources: Resources, node: Node) -> Resources:
        """What a proxy is sent."""
        if self.board.watchers and node.id not in self._wanted:
            self._look((node,))
        return tapped(resources, self._wanted.get(node.id))

    async def run(self) -> None:
        """Keep alive what is watched."""
        while True:
            await asyncio.sleep(_EVERY)
            if self.board.watchers:
                self._changed()

    def service_host(self, name: str, namespace: str) -> str:
        """The host of a service by its name there, or by its host; the name itself where the mesh has none."""
        mesh = self._latest.value
        services = mesh.services if mesh is not None else {}
        if name in services:
            return name
        short, _, other = name.partition(".")
        found = _service(services.values(), short, other.partition(".")[0] or namespace)
        return found.host if found is not None else name

    def _changed(self) -> None:
        """Work out anew what every proxy is asked for, and send it."""
        self._serial += 1
        self._wanted = {}
        for watcher in self.board.watchers:
            watcher.proxies = frozenset()
        self._look(self._nodes())
        self._again()

    def _look(self, nodes: tuple[Node, ...]) -> None:
        mesh = self._latest.value or Mesh()
        watched = [(watcher, covered(watcher.target, mesh)) for watcher in self.board.watchers]
        for node in nodes:
            sides: dict[Side, list[Wanted]] = {side: [] for side in Side}
            for watcher, of in watched:
                if covers(of, node):
                    side = Side.OUT if node.gateway is not None else watcher.side
                    sides[side].append(watcher.wanted)
                    watcher.proxies |= {(node.id, side)}
            if any(sides.values()):
                self._wanted[node.id] = self._tapped(sides)

    def _tapped(self, sides: dict[Side, list[Wanted]]) -> Tapped:
        return Tapped(
            inward=tuple(sides[Side.IN]),
            outward=tuple(sides[Side.OUT]),
            connections=True,
            hidden=self.redactor.patterns,
            serial=self._serial,
        )


class Covered(Value):
    """A target as the mesh has it by now: the labels that a service's workloads have, or their names."""

    target: Target
    selector: Labels | None = None
    endpoints: frozenset[tuple[str, str]] = frozenset()


def covered(target: Target, mesh: Mesh) -> Covered:
    """What a target is in a mesh."""
    service = _service(mesh.services.values(), target.service, target.namespace) if target.service else None
    if service is None:
        return Covered(target=target)
    endpoints = frozenset((one.name, one.namespace) for one in service.endpoints)
    return Covered(target=target, selector=service.selector, endpoints=endpoints)


def covers(of: Covered, node: Node) -> bool:
    """Whether a proxy is of what somebody watches."""
    target = of.target
    if target.namespace and node.namespace != target.namespace:
        return False
    if target.workload:
        return target.workload in (node.workload, peer_of(node.workload, node.namespace, node.labels).workload)
    if not target.service:
        return True
    selected = bool(of.selector) and includes(node.labels, of.selector or ())
    return selected or (node.workload, node.namespace) in of.endpoints or ("app", target.service) in node.labels


def _service(services: Iterable[Service], name: str, namespace: str) -> Service | None:
    return next((one for one in services if (one.name, one.namespace) == (name, namespace)), None)
