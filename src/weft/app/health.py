"""The health of a control plane and its mesh: which parts are looked at, and by which checks."""

import asyncio
from collections.abc import Callable, Iterator

from weft.app.parts import Composed
from weft.health.alarm import Alarm
from weft.health.alerts import burning, reached
from weft.health.certificates import lasting
from weft.health.control_plane import converging, prompt, room_of, served, spacious, troubled
from weft.health.documents import sound
from weft.health.proxies import absent, missed, settled
from weft.health.sinks import Lately, Sink, flowing
from weft.model.health import Check

_LOOK = 15.0
Shown = Callable[[str, str], bool]
"""Whether things of a resource in a namespace may be shown."""


def everybody(_: str, __: str) -> bool:
    """Shows everything."""
    return True


class Health:
    """Looks at every part when somebody asks."""

    def __init__(self, parts: Composed) -> None:
        self._parts = parts
        self._lately = Lately()

    def checks(self, shown: Shown) -> Iterator[Check]:
        """Everything that may be shown, group by group."""
        parts, mesh = self._parts, self._parts.pipeline.latest.value
        yield served(mesh)
        yield prompt(parts.lag)
        yield converging(parts.fleet.tally)
        yield from troubled((*parts.identification.troubles(), *parts.auditing.troubles()))
        yield spacious(room_of(parts.config.state.root))
        yield from flowing(self._sinks(), f"within {self._lately.seconds / 60:g} minutes")
        yield from settled(tuple(one for one in parts.fleet.proxies() if shown("proxies", one.identity.namespace)))
        unconnected = absent(mesh, parts.fleet.proxies())
        yield from missed(one for one in unconnected if shown("proxies", one.namespace))
        endings = lasting((*parts.authority.endings(), *parts.others_ending()), parts.clock.now())
        yield from (one for one in endings if not one.namespace or shown("proxies", one.namespace))
        alerts = (one for one in parts.watching.book.alerts() if one.firing)
        yield from burning(one for one in alerts if shown("alerts", one.namespace))
        tellings = parts.watching.sender.status()
        yield from reached(one for one in tellings if not one.namespace or shown("alerts", one.namespace))
        findings = mesh.findings if mesh else ()
        told = ((one, one.document.namespace if one.document else "") for one in findings)
        yield from sound(one for one, place in told if shown("findings", place))

    async def watch(self) -> None:
        """Tell of what fails, until cancelled."""
        alarm = Alarm(self._parts.watching.book.alerts())
        while True:
            await asyncio.sleep(_LOOK)
            self._parts.watching.say("health", alarm.alerts(self.checks(everybody), self._parts.clock.now()))

    def _sinks(self) -> Iterator[Sink]:
        parts, now, lately = self._parts, self._parts.clock.now(), self._lately.grown
        windows, traces = parts.recording.windows, parts.recording.traces
        yield Sink(
            name="windows",
            what="numbers of proxies",
            dropped=lately("windows lost", windows.lost, now),
            failed=lately("windows failed", windows.failed, now),
            help="there are too many kinds of calls for the windows' series, or the disk is full",
        )
        yield Sink(
            name="reports",
            what="reports of proxies",
            dropped=lately("reports dropped", parts.observing.handlers.dropped, now),
            help="the control plane cannot keep up with what proxies count, and shows less than there is",
        )
        yield Sink(
            name="traces",
            what="spans",
            dropped=lately("traces dropped", traces.dropped, now),
            failed=lately("traces failed", traces.failed, now),
            help="sample less, or look at the disk of the state directory",
        )
        decisions = parts.observing.decisions
        yield Sink(
            name="decisions",
            what="decisions of access policies",
            dropped=lately("decisions dropped", decisions.dropped, now),
            help="one caller is refused very often: see `weft audit --what decision`",
        )
        for shipper in parts.recording.shippers:
            status = shipper.status()
            yield Sink(
                name="trace-backend",
                what="spans to another backend",
                dropped=lately(f"shipped {status.to}", status.dropped, now),
                problem=f"it is not reached: {status.problem}" if status.problem else "",
                help="see the log of the control plane; `weft up --traces-to` names it",
            )
