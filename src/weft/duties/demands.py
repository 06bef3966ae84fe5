"""Traces that somebody asked for: all calls of one caller for some minutes, then as before.

What is asked for lives in this process alone: a control plane that starts anew has forgotten it, so nothing goes on by
mistake. A proxy that is watched so has its listeners changed; calls go on.
"""

import asyncio
import secrets
from collections.abc import Callable

from weft.compiler.resource import Resources
from weft.compiler.telemetry.forced import forced
from weft.duties.tapping import covered, covers
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.mesh import Mesh
from weft.model.tap import Target
from weft.view.node import Node

Alter = Callable[[Resources, Node], Resources]
LONGEST = 86_400.0
MOST = 100


class Demand(Value):
    """The traces of a caller until a time (seconds since the epoch): a service's, or a workload's."""

    id: str
    target: Target
    percent: float
    until: float
    by: str


class Demands:
    """Owned by one event loop; ``altered`` is for the pipeline, after ``follow``. ``then`` alters what comes of it."""

    def __init__(self, clock: Clock, then: Alter = lambda resources, _: resources) -> None:
        self._clock = clock
        self._then = then
        self._demands: tuple[Demand, ...] = ()
        self._latest: Latest[Mesh] = Latest()
        self._again: Callable[[], None] = lambda: None
        self._news = asyncio.Event()

    def follow(self, latest: Latest[Mesh], again: Callable[[], None]) -> None:
        """Know the mesh; ``again`` has proxies looked at again."""
        self._latest, self._again = latest, again

    def all(self) -> tuple[Demand, ...]:
        """What holds, the oldest first."""
        return self._demands

    def start(self, target: Target, percent: float, seconds: float, by: str) -> Demand:
        """Have the calls of a caller traced; what was asked for it before holds no more. Raises ``UserError``."""
        others = tuple(one for one in self._demands if one.target != target)
        if len(others) >= MOST:
            raise UserError(f"{MOST} callers are traced already, which is the most", help="stop one of them")
        demand = Demand(
            id=secrets.token_hex(4),
            target=target,
            percent=percent,
            until=self._clock.now() + min(seconds, LONGEST),
            by=by,
        )
        self._become((*others, demand))
        return demand

    def stop(self, demand_id: str) -> Demand | None:
        """End one; ``None`` if there is none."""
        found = next((one for one in self._demands if one.id == demand_id), None)
        if found is not None:
            self._become(tuple(one for one in self._demands if one.id != demand_id))
        return found

    def altered(self, resources: Resources, node: Node) -> Resources:
        """What a proxy is sent."""
        mesh = self._latest.value
        if self._demands and mesh is not None and node.gateway is None:
            mine = [one.percent for one in self._demands if covers(covered(one.target, mesh), node)]
            resources = forced(resources, max(mine)) if mine else resources
        return self._then(resources, node)

    async def run(self) -> None:
        """End what is over, until cancelled."""
        while True:
            self._news.clear()
            rest = min((one.until - self._clock.now() for one in self._demands), default=3600.0)
            try:
                async with asyncio.timeout(max(rest, 0.05)):
                    await self._news.wait()
            except TimeoutError:
                self._end()

    def _end(self) -> None:
        left = tuple(one for one in self._demands if one.until > self._clock.now())
        if left != self._demands:
            self._become(left)

    def _become(self, demands: tuple[Demand, ...]) -> None:
        self._demands = demands
        self._news.set()
        self._again()
