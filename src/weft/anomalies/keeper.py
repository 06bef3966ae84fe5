"""Looks at the traffic of every step, has it judged, and says what was found, with the evidence.

New edges are found here too: a caller that never called a service before, in a mesh that is older than an hour.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from weft.anomalies.detector import STEP, Detector, Found, Key, Step
from weft.anomalies.statistics import Share
from weft.kit.clock import Clock
from weft.kit.value import Labels, labels_of
from weft.model.alert import Alert
from weft.model.event import Event, Kind
from weft.model.standard_metrics import METRICS
from weft.observe.edges import Edge
from weft.observe.latency import Latency, merged
from weft.observe.promql.series import NAME, Matcher, Operator

_HOUR, _DAY = 3600.0, 86_400.0
_QUIET = _HOUR
"""How old a mesh must be before an edge is new."""
_SHOWN = 900.0
"""How long a new edge is told."""
_OFTEN, _SELDOM = 120.0, 600.0
_NEAR = 900.0
"""How long before a change something may have been its cause."""
_MOST_NEW = 20
_EVER = 2**62
_ALL = frozenset({"requests", "duration"})

OnAlerts = Callable[[tuple[Alert, ...]], None]


class Traffic(Protocol):
    """Edges of any time; waits for the disk."""

    def edges(self, start: int, end: int, *, whats: frozenset[str]) -> tuple[Edge, ...]:
        """The edges between two moments, in milliseconds."""
        ...


class Labelled(Protocol):
    """Who knows the labels of all series."""

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """The labels of series that were there in a time, in milliseconds."""
        ...


class _Usual(NamedTuple):
    """What an edge is like: by how many calls it failed, and from which time on a tenth of its calls is slow."""

    slow_from: float = 0.0
    p50: float | None = None


class Keeper:
    """Owned by one event loop; ``run`` is its task. ``born`` tells when the mesh was first seen, in
    milliseconds, and ``seen`` which edges had calls since a moment."""

    def __init__(
        self,
        traffic: Traffic,
        born: Callable[[], int],
        seen: Callable[[int], set[Key]],
        happened: Callable[[], tuple[Event, ...]],
        revision: Callable[[], int],
        clock: Clock,
        on_alerts: OnAlerts,
    ) -> None:
        self._traffic = traffic
        self._born = born
        self._happened = happened
        self._revision = revision
        self._clock = clock
        self._on_alerts = on_alerts
        self.detector = Detector()
        self._usual: dict[Key, _Usual] = {}
        self._yesterday: dict[Key, Step] = {}
        self._seen_before = seen
        self._seen: set[Key] | None = None
        self._new: dict[Key, tuple[float, Edge]] = {}
        self._alerts: dict[tuple[Key, str], Alert] = {}
        self._learnt = self._compared = 0.0
        self._ended = 0

    async def run(self) -> None:
        """Look until cancelled; where that takes long, more seldom."""
        while True:
            begun = self._clock.monotonic()
            await asyncio.to_thread(self.look)
            self._on_alerts((*self._alerts.values(), *self._novelties()))
            await asyncio.sleep(max(STEP, 4 * (self._clock.monotonic() - begun)))

    def look(self) -> None:
        """Judge the step that is over, with those before it that nobody looked at. Waits for the disk."""
        now = self._clock.now()
        end = int(now // STEP) * round(STEP * 1000)
        self._learn(now, end)
        start = max(self._ended or end - round(STEP * 1000), end - 60_000)
        if end <= start:
            return
        self._ended = end
        edges = self._traffic.edges(start, end, whats=_ALL)
        self._meet(now, edges)
        found = self.detector.look(end / 1000, self._steps(edges), self._yesterday)
        self._alerts = {(one.key, one.what): self._alert(one, end) for one in found}

    def _learn(self, now: float, end: int) -> None:
        """What is usual: how slow the last hour was, and how well the same hour of yesterday went."""
        if self._seen is None:
            self._seen = self._seen_before(end - round(30 * _DAY * 1000))
            self._recall(now, end)
        if now - self._learnt >= _OFTEN:
            self._learnt = now
            hour = self._traffic.edges(end - round(_HOUR * 1000), end - 120_000, whats=_ALL)
            self._usual = {key: _usual(found) for key, found in _grouped(hour).items()}
        if now - self._compared >= _SELDOM:
            self._compared = now
            middle = end - round(_DAY * 1000)
            day = self._traffic.edges(middle - 1_800_000, middle + 1_800_000, whats=_ALL)
            self._yesterday = self._steps(day)

    def _recall(self, now: float, end: int) -> None:
        """Begin with the hour before the start, so that a restart is not blind for as long."""
        self._learnt = now
        hour = self._traffic.edges(end - round(_HOUR * 1000), end, whats=_ALL)
        self._usual = {key: _usual(found) for key, found in _grouped(hour).items()}
        for key, step in self._steps(hour).items():
            self.detector.recall(key, step.errors, step.slow)

    def _steps(self, edges: Iterable[Edge]) -> dict[Key, Step]:
        steps = {}
        for key, found in _grouped(edges).items():
            errors = Share(float(sum(one.errors for one in found)), float(sum(one.requests for one in found)))
            times, usual = merged(one.latency for one in found), self._usual.get(key)
            slow = Share()
            if usual is not None and usual.slow_from:
                slow = Share(times.count - times.within(usual.slow_from), float(times.count))
            steps[key] = Step(errors, slow)
        return steps

    def _meet(self, now: float, edges: Iterable[Edge]) -> None:
        assert self._seen is not None
        old = bool(self._born()) and now * 1000 - self._born() >= _QUIET * 1000
        for edge in edges:
            key = _key(edge)
            if key not in self._seen and edge.requests:
                self._seen.add(key)
                if old and len(self._new) < _MOST_NEW:
                    self._new[key] = (now, edge)
        self._new = {key: one for key, one in self._new.items() if now - one[0] < _SHOWN}

    def _novelties(self) -> Iterator[Alert]:
        for (namespace, caller, host), (since, edge) in self._new.items():
            principal = edge.source.principal or "nobody"
            yield Alert(
                id=f"anomaly:new:{namespace}/{caller}:{host}",
                kind="anomaly",
                name="NewEdge",
                severity="info",
                summary=f"{caller} in {namespace} calls {host}, which it never did before",
                since=since,
                namespace=_namespace_of(host) or namespace,
                service=host.partition(".")[0],
                labels=labels_of({"caller": f"{namespace}/{caller}", "destination": host}),
                evidence=labels_of({"caller proves to be": principal, "workload": edge.source.peer.workload}),
            )

    def _alert(self, found: Found, end: int) -> Alert:
        known = self._alerts.get((found.key, found.what))
        if known is not None:
            return known
        namespace, caller, host = found.key
        since = max(end - 30_000, round(found.since * 1000))
        edges = [one for one in self._traffic.edges(since, end, whats=_ALL) if _key(one) == found.key]
        before, after = Share(*found.before), Share(*found.after)
        told = _errors(before, after) if found.what == "errors" else self._latencies(found.key, edges)
        name = "ErrorRateJumped" if found.what == "errors" else "LatencyJumped"
        return Alert(
            id=f"anomaly:{found.what}:{namespace}/{caller}:{host}",
            kind="anomaly",
            name=name,
            severity="ticket",
            summary=f"{'calls' if found.what == 'errors' else 'answers'} from {caller} to {host} "
            f"{'fail' if found.what == 'errors' else 'are slow'} suddenly: {told['now']}, before {told['before']}",
            since=found.since,
            namespace=_namespace_of(host) or namespace,
            service=host.partition(".")[0],
            labels=labels_of({"caller": f"{namespace}/{caller}", "destination": host}),
            evidence=labels_of({**told, **_where(edges), **self._near(found.since, namespace, host), **_odds(found)}),
        )

    def _latencies(self, key: Key, edges: list[Edge]) -> dict[str, str]:
        times, usual = merged(one.latency for one in edges), self._usual.get(key, _Usual())
        middle, slow = times.percentiles((50.0, 90.0))
        return {
            "now": f"p50 {_milliseconds(middle)}, p90 {_milliseconds(slow)}",
            "before": f"p50 {_milliseconds(usual.p50)}, p90 {_milliseconds(usual.slow_from)}",
        }

    def _near(self, since: float, namespace: str, host: str) -> dict[str, str]:
        """What was changed shortly before, the nearest first: configuration and endpoints of either side."""
        spaces = {namespace, _namespace_of(host)}
        kinds = (Kind.CONFIG, Kind.ENDPOINT, Kind.BREAKER)
        near = [
            one
            for one in reversed(self._happened())
            if one.kind in kinds and one.namespace in spaces and since - _NEAR <= one.last <= since + 30
        ]
        told = [
            f"{one.message}{f' by {one.who}' if one.who else ''}, {abs(since - one.last):.0f} s "
            f"{'before' if one.last <= since else 'after it began'}"
            for one in near[:3]
        ]
        return {"revision": str(self._revision()), **({"shortly before": "; ".join(told)} if told else {})}


def seen_in(windows: Labelled) -> Callable[[int], set[Key]]:
    """Reads the edges that are known from the labels of their series, which costs next to nothing."""
    named = Matcher(name=NAME, operator=Operator.EQUAL, value=METRICS["requests"].name)
    names = ("source_workload_namespace", "source_canonical_service", "destination_service")

    def since(start: int) -> set[Key]:
        found = (dict(labels) for labels in windows.series((named,), start, _EVER))
        keys = (tuple(labels.get(name, "") for name in names) for labels in found)
        return {(namespace, caller, host) for namespace, caller, host in keys}

    return since


def _key(edge: Edge) -> Key:
    """Versions are no edges of their own: a new one calls as the one before it did."""
    return (edge.source.peer.namespace, edge.source.peer.service, edge.service)


def _grouped(edges: Iterable[Edge]) -> dict[Key, list[Edge]]:
    found: dict[Key, list[Edge]] = {}
    for edge in edges:
        if edge.requests:
            found.setdefault(_key(edge), []).append(edge)
    return found


def _usual(edges: Iterable[Edge]) -> _Usual:
    times: Latency = merged(one.latency for one in edges)
    middle, slow = times.percentiles((50.0, 90.0))
    # Half as much again as what nine of ten take, and five milliseconds: less is no change that anybody feels.
    return _Usual(slow_from=max(1.5 * slow, slow + 5.0) if slow is not None else 0.0, p50=middle)


def _errors(before: Share, after: Share) -> dict[str, str]:
    return {
        "now": f"{after.ratio:.2%} of {after.total:.0f} calls within 30 s",
        "before": f"{before.ratio:.3%} of {before.total:.0f} calls",
    }


def _where(edges: list[Edge]) -> dict[str, str]:
    """Which versions answered so, with which statuses and which of Envoy's flags."""
    versions = [f"{one.destination.peer.workload}: {one.errors} of {one.requests}" for one in edges]
    codes: dict[str, int] = {}
    flags: dict[str, int] = {}
    for edge in edges:
        for into, counts in ((codes, edge.codes), (flags, edge.flags)):
            for name, count in counts:
                into[name] = into.get(name, 0) + count
    told = {
        "failed by workload": ", ".join(versions),
        "statuses": ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
        "flags": ", ".join(f"{flag}: {count}" for flag, count in sorted(flags.items())),
    }
    return {name: text for name, text in told.items() if text}


def _odds(found: Found) -> dict[str, str]:
    return {"by chance": f"{found.probability:.1e} (dispersion {found.dispersion:.1f})"}


def _namespace_of(host: str) -> str:
    parts = host.split(".")
    return parts[1] if len(parts) > 2 and parts[2] == "svc" else ""


def _milliseconds(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.1f} ms"
