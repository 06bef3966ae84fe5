"""What the supervisor does about capture and the application's user: nothing where neither was asked for."""

from collections.abc import Callable
from pathlib import Path

from weft.agent.capture.capturing import Capturing, Places
from weft.agent.capture.guardian import Guarded
from weft.agent.capture.networked import Networked
from weft.agent.capture.scope import mark_of, scope_of
from weft.agent.config import AgentConfig
from weft.agent.group import group_annotations
from weft.agent.http import HttpClient
from weft.agent.ports import Plan
from weft.agent.run_as import becoming
from weft.kit.clock import Clock
from weft.kit.tasks import Tasks


class WorkloadCapture:
    """One workload's. ``mark`` is for the agent's own connections to the application, ``doors`` are for those of others
    to one in a network of its own. Raises ``UserError``."""

    def __init__(
        self, config: AgentConfig, plan: Plan, directory: Path, clock: Clock, doors: tuple[int, ...] = ()
    ) -> None:
        self.mark = mark_of(plan.capture.inbound) if plan.capture else 0
        self._capturing = _capturing(config, plan, directory, clock, doors)
        self._group = config.group
        self._kept = directory / "annotations.json"
        self._become: Callable[[], None] | None = None
        self.environment: dict[str, str] = {}
        if config.run_as:
            self._become, self.environment = becoming(config.run_as)

    @property
    def admission(self) -> Callable[[], None] | None:
        """What a process of the application does before its program begins."""
        steps = [self._capturing.admit] if self._capturing else []
        steps += [self._become] if self._become else []
        return (lambda: _each(steps)) if steps else None

    async def prepare(self, guarded: Guarded | None) -> None:
        """Find out whether and how connections can be captured here, or go on with what is. Raises ``UserError``."""
        if self._capturing is None:
            return
        if guarded is not None:
            self._capturing.adopt(guarded)
        else:
            await self._capturing.prepare()

    async def begin(self, group: Tasks, client: HttpClient) -> None:
        """Capture from now on, as the workload's group says, too. Raises ``UserError``."""
        if self._capturing is None:
            return
        if self._group:
            self._capturing.follow(await group_annotations(client, self._group, self._kept))
        if self._capturing.guarded is None:
            await self._capturing.install()
        group.start(self._capturing.watch(), "capture")

    @property
    def guarded(self) -> Guarded | None:
        """What a newer version of this agent goes on with."""
        return self._capturing.guarded if self._capturing else None

    async def remove(self) -> None:
        """Undo it."""
        if self._capturing is not None:
            await self._capturing.remove()


def _capturing(
    config: AgentConfig, plan: Plan, directory: Path, clock: Clock, doors: tuple[int, ...]
) -> Capturing | Networked | None:
    wanted, ports = config.capture, plan.capture
    if wanted is None or ports is None:
        return None
    if ports.way:
        return Networked(config, wanted, plan, doors)
    own = tuple(inlet.app_port for inlet in plan.inlets)
    places = Places(outbound=ports.outbound, inbound=ports.inbound, own_ports=own, dns=plan.dns)
    who = scope_of(config.name, wanted, config.run_as)
    return Capturing(config.name, wanted, who, places, directory, config.stop_seconds, clock)


def _each(steps: list[Callable[[], None]]) -> None:
    for step in steps:
        step()
