"""The circuit breakers of all proxies, as their agents tell: states, what happened to them, and numbers for a monitor.

The proxies decide alone; this only knows. What is told no more is forgotten after half a minute.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
import structlog

from weft.kit.clock import Clock
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity

_FORGET = 30.0
_MOST_PROXIES = 10_000
_MOST_OF_ONE = 200
"""Workloads of one identity: nobody fills the board with names."""
_LONGEST = 512
_MOST_BREAKERS = 1024
_MOST_EVENTS = 1000
_log = structlog.get_logger()


_Text = Annotated[str, msgspec.Meta(max_length=_LONGEST)]


class BadReport(PeerError):
    """What an agent told cannot be read."""


class BreakerReport(Value):
    """One breaker for one destination. ``since`` is seconds since the epoch, ``remaining`` those until it is tried."""

    breaker: _Text
    destination: _Text
    state: Literal["closed", "open", "half-open"]
    forced: Literal["", "open", "closed"] = ""
    since: float = 0.0
    remaining: float = 0.0
    calls: int = 0
    failures: int = 0
    slow: int = 0
    refused: int = 0
    opened: int = 0


class BreakerStatus(Value):
    """A breaker in a proxy, which is ``<workload>.<namespace>``."""

    proxy: str
    report: BreakerReport


class BreakerEvent(Value):
    """A breaker that turned, or was forced; ``at`` is seconds since the epoch."""

    at: float
    proxy: str
    breaker: str
    destination: str
    before: str
    after: str


class _Body(Value):
    breakers: tuple[BreakerReport, ...]


class _Told(Value):
    proxy: str
    at: float
    reports: tuple[BreakerReport, ...]


class BreakerBoard:
    """What is known. A workload's breakers are those that its own certificate tells."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[Identity, str], _Told] = OrderedDict()
        self._events: deque[BreakerEvent] = deque(maxlen=_MOST_EVENTS)

    def tell(self, identity: Identity, workload: str, content: bytes) -> None:
        """Note what an agent says of its sidecar. Raises ``BadReport``."""
        try:
            reports = msgspec.json.decode(content, type=_Body).breakers[:_MOST_BREAKERS]
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
            raise BadReport(f"this is no report of breakers: {wrong}") from wrong
        if len(workload) > _LONGEST:
            raise BadReport("the name of the workload is too long")
        key, now = (identity, workload), self._clock.now()
        proxy = f"{workload}.{identity.namespace}"
        known = self._told.pop(key, None)
        for report in reports:
            self._notice(proxy, known.reports if known else (), report, now)
        self._told[key] = _Told(proxy=proxy, at=now, reports=reports)
        mine = [one for one in self._told if one[0] == identity]
        for one in mine[: max(0, len(mine) - _MOST_OF_ONE)]:
            del self._told[one]
        while len(self._told) > _MOST_PROXIES:
            self._told.popitem(last=False)

    def statuses(self) -> tuple[BreakerStatus, ...]:
        """Every breaker that is told of, by name, destination and proxy."""
        now = self._clock.now()
        for key in [key for key, told in self._told.items() if now - told.at > _FORGET]:
            del self._told[key]
        found = (BreakerStatus(proxy=told.proxy, report=one) for told in self._told.values() for one in told.reports)
        return tuple(sorted(found, key=lambda one: (one.report.breaker, one.report.destination, one.proxy)))

    def events(self) -> tuple[BreakerEvent, ...]:
        """What happened, the newest last; the oldest are forgotten."""
        return tuple(self._events)

    def metrics(self) -> str:
        """Numbers in Prometheus' text format."""
        return "".join(f"{line}\n" for line in _metrics(self.statuses()))

    def _notice(self, proxy: str, known: tuple[BreakerReport, ...], report: BreakerReport, now: float) -> None:
        same = (one for one in known if (one.breaker, one.destination) == (report.breaker, report.destination))
        old = next(same, None)
        before, after = _words(old) if old else "closed", _words(report)
        if before == after:
            return
        event = BreakerEvent(
            at=report.since or now,
            proxy=proxy,
            breaker=report.breaker,
            destination=report.destination,
            before=before,
            after=after,
        )
        self._events.append(event)
        _log.info("a circuit breaker turned", **msgspec.structs.asdict(event))


def _words(report: BreakerReport) -> str:
    return f"forced {report.forced}" if report.forced else report.state


_STATES = ("closed", "half-open", "open")
_COUNTERS = (
    ("calls", "Calls that were let through and answered."),
    ("failures", "Those of them that failed."),
    ("slow", "Those of them that were slow."),
    ("refused", "Calls that were refused."),
    ("opened", "How often it opened."),
)


def _metrics(statuses: tuple[BreakerStatus, ...]) -> Iterator[str]:
    yield "# HELP weft_circuit_breaker_state 1 for the state that the breaker is in."
    yield "# TYPE weft_circuit_breaker_state gauge"
    for status in statuses:
        for state in _STATES:
            labels = f'{_labels(status)},state="{state}"'
            yield f"weft_circuit_breaker_state{{{labels}}} {int(status.report.state == state)}"
    for name, about in _COUNTERS:
        yield f"# HELP weft_circuit_breaker_{name}_total {about}"
        yield f"# TYPE weft_circuit_breaker_{name}_total counter"
        for status in statuses:
            yield f"weft_circuit_breaker_{name}_total{{{_labels(status)}}} {getattr(status.report, name)}"


def _labels(status: BreakerStatus) -> str:
    report = status.report
    pairs = (("proxy", status.proxy), ("breaker", report.breaker), ("destination", report.destination))
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
