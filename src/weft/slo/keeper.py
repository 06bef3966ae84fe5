"""Watches the objectives of the mesh: counts their windows as often as each needs, and says which alerts are on."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import structlog

from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.tasks import tasks
from weft.kit.value import labels_of
from weft.model.alert import Alert
from weft.model.mesh import Mesh
from weft.model.objective import AlertRule, Objective
from weft.slo.budget import Standing, breached, burn_of, windows_of
from weft.slo.counting import History, Read, Share

STEP = 5.0
_SOONEST, _LATEST = STEP, 900.0
_STEPS_OF_A_WINDOW = 60
_SPARING = 4.0
MOST = 500
"""Objectives that are watched; what is beyond is told and left alone."""
_log = structlog.get_logger()

OnAlerts = Callable[[tuple[Alert, ...]], None]


class Keeper:
    """``standings`` are those of the last round. Owned by one event loop; ``run`` is its task."""

    def __init__(self, history: History, latest: Latest[Mesh], clock: Clock, on_alerts: OnAlerts) -> None:
        self._history = history
        self._latest = latest
        self._clock = clock
        self._on_alerts = on_alerts
        self._counted: dict[tuple[Objective, float], tuple[float, Share]] = {}
        self._breached: dict[tuple[str, str], float] = {}
        self._resumed: dict[str, float] = {}
        self._changed = asyncio.Event()
        self.standings: tuple[Standing, ...] = ()

    def resume(self, alerts: Iterable[Alert]) -> None:
        """Know which alerts were on before a restart: they do not wait again."""
        self._resumed = {one.id: one.since for one in alerts if one.kind == "slo" and one.firing}

    async def run(self) -> None:
        """Watch until cancelled; very many objectives are looked at more seldom, so that others can read too."""
        async with tasks() as group:
            group.start(self._notice(), "changes of objectives")
            while True:
                begun = self._clock.monotonic()
                await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(STEP, _SPARING * (self._clock.monotonic() - begun))):
                        await self._changed.wait()

    async def _notice(self) -> None:
        """Look at once when documents change."""
        before: tuple[Objective, ...] = ()
        async for mesh in self._latest:
            if mesh.objectives != before:
                before = mesh.objectives
                self._changed.set()

    async def look(self) -> None:
        """Count what is due, and say how every objective is."""
        self._changed.clear()
        mesh = self._latest.value
        objectives = mesh.objectives[:MOST] if mesh else ()
        now = self._clock.now()
        due = [key for one in objectives for key in self._due(one, now)]
        ended = now // STEP * STEP
        found = await asyncio.to_thread(self._count, due, ended)
        kept = set(objectives)
        self._counted = {key: value for key, value in self._counted.items() if key[0] in kept}
        self._counted |= {key: (ended, share) for key, share in found.items()}
        since = await asyncio.to_thread(self._since, objectives, now)
        self.standings = tuple(self._standing(one, since, now) for one in objectives)
        self._on_alerts(tuple(alert for one in self.standings for alert in self._alerts(one)))

    def _due(self, objective: Objective, now: float) -> Iterator[tuple[Objective, float]]:
        """A long window is counted seldom; what came since is added to it meanwhile."""
        for window in windows_of(objective):
            known = self._counted.get((objective, window))
            pause = min(max(window / _STEPS_OF_A_WINDOW, _SOONEST), _LATEST)
            if known is None or now - known[0] >= pause - 0.5 * STEP:
                yield objective, window

    def _count(self, due: list[tuple[Objective, float]], ended: float) -> dict[tuple[Objective, float], Share]:
        """The windows that ended with a step, so that what comes since is known exactly."""
        end = round(ended * 1000)
        found: dict[tuple[Objective, float], Share] = {}
        for window in sorted({window for _, window in due}):
            asking = [objective for objective, one in due if one == window]
            read = Read(self._history, asking, end - round(window * 1000), end)
            found |= {(objective, window): read.share(objective) for objective in asking}
        return found

    def _since(self, objectives: tuple[Objective, ...], now: float) -> dict[tuple[Objective, float], Share]:
        """The calls since windows were counted, by objective and that time."""
        end, asking = round(now * 1000), dict[float, dict[Objective, None]]()
        for objective in objectives:
            for window in windows_of(objective):
                at = self._counted[objective, window][0]
                if at < now:
                    asking.setdefault(at, {})[objective] = None
        found: dict[tuple[Objective, float], Share] = {}
        for at, those in asking.items():
            read = Read(self._history, those, round(at * 1000), end)
            found |= {(objective, at): read.share(objective) for objective in those}
        return found

    def _standing(self, objective: Objective, since: dict[tuple[Objective, float], Share], now: float) -> Standing:
        shares = {}
        for window in windows_of(objective):
            at, share = self._counted[objective, window]
            more = since.get((objective, at), Share())
            shares[window] = Share(share.total + more.total, share.bad + more.bad)
        firing = tuple(rule.name for rule in objective.rules if self._is_on(objective, rule, shares, now))
        return Standing(objective=objective, at=now, shares=tuple(shares.items()), firing=firing)

    def _is_on(self, objective: Objective, rule: AlertRule, shares: dict[float, Share], now: float) -> bool:
        """Whether a rule's windows say so, and have for long enough."""
        key = (objective.id, rule.name)
        if not breached(rule, shares, objective.target):
            self._breached.pop(key, None)
            return False
        began = self._breached.setdefault(key, self._resumed.pop(_id(objective, rule), now + rule.after) - rule.after)
        return now - began >= rule.after

    def _alerts(self, standing: Standing) -> Iterator[Alert]:
        for rule in standing.objective.rules:
            if rule.name in standing.firing:
                yield alert_of(standing, rule, self._breached[standing.objective.id, rule.name])


def alert_of(standing: Standing, rule: AlertRule, since: float) -> Alert:
    """The alert of a rule that is breached."""
    objective, shares = standing.objective, dict(standing.shares)
    burn = burn_of(shares[rule.long], objective.target) or 0.0
    left = standing.left
    about = f"{objective.service} uses its error budget {burn:.1f} times as fast as it lasts"
    evidence = {
        "objective": f"{objective.target:.5%} of calls within {told(objective.window)}",
        f"burn rate over {told(rule.long)}": f"{burn:.2f} (limit {rule.threshold:g})",
        f"bad calls over {told(rule.long)}": f"{shares[rule.long].bad:.0f} of {shares[rule.long].total:.0f}",
        "budget left": "-" if left is None else f"{left:.1%}",
    }
    if rule.short:
        evidence[f"burn rate over {told(rule.short)}"] = f"{burn_of(shares[rule.short], objective.target) or 0.0:.2f}"
    return Alert(
        id=_id(objective, rule),
        kind="slo",
        name="ErrorBudgetBurn",
        severity=rule.severity,
        summary=f"{about} ({objective.display or objective.name})",
        since=since,
        namespace=objective.key.namespace,
        service=objective.service,
        labels=labels_of({"slo": objective.name, "objective": str(objective.place), "policy": rule.name}),
        evidence=labels_of(evidence),
        targets=rule.targets,
        fires=rule.fires,
        resolves=rule.resolves,
    )


def _id(objective: Objective, rule: AlertRule) -> str:
    return f"slo:{objective.id}:{rule.name}"


def told(seconds: float) -> str:
    """A window as OpenSLO writes it."""
    for unit, letter in ((86_400.0, "d"), (3600.0, "h"), (60.0, "m")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f}{letter}"
    return f"{seconds:g}s"
