"""Finds sudden changes on edges, from what each step of five seconds brought. Pure: time and numbers are handed in.

An edge is a caller and a service. Its last 30 s are compared with its last hour, and with the same time of yesterday
where that was worse: what is usual at this time of day is no change. While a change lasts its baseline stays as it was,
for an hour at most: then it is how things are.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from weft.anomalies.statistics import ALPHA, Share, chance, dispersion_of, summed
from weft.kit.value import Value

STEP = 5.0
RECENT = 6
"""Steps that are looked at."""
_LOOKED_BACK = 24
_A_MINUTE = 12
_MINUTES = 60
_LEAST_BAD = 5
_LEAST_CALLS = 20
_LEAST_BASELINE = 100
_AS_NEW = 3600.0
_CALM = 12
MOST = 5_000
"""Edges that are remembered."""

Key = tuple[str, str, str]
"""Namespace and service of the caller, and the host that is called."""


class Step(NamedTuple):
    """What five seconds brought on an edge: failed calls, and slow ones (slower than the baseline's tenth slowest)."""

    errors: Share = Share()
    slow: Share = Share()


class Found(Value):
    """A change that goes on. ``what`` is ``errors`` or ``latency``; shares are of bad calls."""

    key: Key
    what: str
    since: float
    before: tuple[float, float]
    after: tuple[float, float]
    probability: float
    dispersion: float


class _Change(NamedTuple):
    """A change while it lasts, with the baseline that it was one from."""

    found: Found
    baseline: Share
    begun: float


class _Past:
    """What is remembered of an edge, of one of the two things; less than ``effect`` is no change."""

    def __init__(self, least: float, effect: float) -> None:
        self.effect = effect
        self.steps: deque[Share] = deque(maxlen=_LOOKED_BACK)
        self.minutes: deque[Share] = deque(maxlen=_MINUTES)
        self.open = Share()
        self.filled = 0
        self.least = least
        self.change: _Change | None = None
        self.calm = 0

    def add(self, share: Share) -> None:
        """A step is over."""
        if len(self.steps) == self.steps.maxlen and self.change is None:
            self.open += self.steps[0]
            self.filled += 1
        self.steps.append(share)
        if self.filled >= _A_MINUTE:
            self.minutes.append(self.open)
            self.open, self.filled = Share(), 0

    def keep_calm(self) -> None:
        """A change is over: what it brought is no baseline."""
        calm = list(self.steps)[-_CALM:]
        self.steps.clear()
        self.steps.extend(calm)

    def baseline(self) -> Share:
        """What was before the last two minutes."""
        return summed(self.minutes) + self.open


class Detector:
    """``known`` is how many edges are remembered."""

    def __init__(self, alpha: float = ALPHA) -> None:
        self._alpha = alpha
        self._edges: dict[Key, dict[str, _Past]] = {}

    @property
    def known(self) -> int:
        """Edges that are remembered."""
        return len(self._edges)

    def recall(self, key: Key, errors: Share, slow: Share) -> None:
        """What the last hour was, after a start; known as one piece."""
        for what, share in (("errors", errors), ("latency", slow)):
            self._past(key)[what].minutes.append(share)

    def look(self, now: float, steps: Mapping[Key, Step], yesterday: Mapping[Key, Step]) -> tuple[Found, ...]:
        """The changes that go on after another step; edges without calls in it had none."""
        for key in steps:
            if key not in self._edges and len(self._edges) >= MOST:
                self._forget()
            self._past(key)
        return tuple(self._looked(now, steps, yesterday))

    def _looked(self, now: float, steps: Mapping[Key, Step], yesterday: Mapping[Key, Step]) -> Iterator[Found]:
        for key, pasts in self._edges.items():
            step, before = steps.get(key, Step()), yesterday.get(key, Step())
            for what, share, usual in (
                ("errors", step.errors, before.errors),
                ("latency", step.slow, before.slow),
            ):
                past = pasts[what]
                past.add(share)
                found = self._judged(now, key, what, past, usual)
                if found is not None:
                    yield found

    def _judged(self, now: float, key: Key, what: str, past: _Past, usual: Share) -> Found | None:
        recent = summed(list(past.steps)[-RECENT:])
        if past.change is not None:
            return self._going_on(now, past, recent)
        baseline = max(past.baseline(), usual if usual.total >= _LEAST_BASELINE else Share(), key=lambda one: one.ratio)
        if baseline.total < _LEAST_BASELINE or not _large(recent, baseline, past.effect):
            return None
        dispersion = dispersion_of(past.minutes, past.least)
        probability = chance(recent, baseline, dispersion)
        if probability >= self._alpha:
            return None
        found = Found(
            key=key,
            what=what,
            since=_since(now, past, baseline),
            before=(baseline.bad, baseline.total),
            after=(recent.bad, recent.total),
            probability=probability,
            dispersion=dispersion,
        )
        past.change, past.calm = _Change(found, baseline, now), 0
        return found

    def _going_on(self, now: float, past: _Past, recent: Share) -> Found | None:
        """A change ends after a minute without it, or after an hour, when it is how things are."""
        assert past.change is not None
        past.calm = 0 if _large(recent, past.change.baseline, past.effect) else past.calm + 1
        if past.calm >= _CALM or now - past.change.begun >= _AS_NEW:
            if past.calm < _CALM:
                past.minutes.clear()
            else:
                past.keep_calm()
            past.change = None
            return None
        return past.change.found

    def _past(self, key: Key) -> dict[str, _Past]:
        return self._edges.setdefault(key, {"errors": _Past(1.0, 0.01), "latency": _Past(2.0, 0.1)})

    def _forget(self) -> None:
        """The edge that was met first goes."""
        del self._edges[next(iter(self._edges))]


def _large(recent: Share, baseline: Share, effect: float) -> bool:
    """Whether a change would matter to anybody, were it one: twice as much, and ``effect`` of the calls more."""
    if recent.bad < _LEAST_BAD or recent.total < _LEAST_CALLS:
        return False
    return recent.ratio >= 2 * baseline.ratio and recent.ratio >= baseline.ratio + effect


def _since(now: float, past: _Past, baseline: Share) -> float:
    """When the first of the steps began from which on more was bad than usual."""
    steps = list(past.steps)
    first = len(steps)
    for place in range(len(steps) - 1, -1, -1):
        if steps[place].total and steps[place].ratio > 1.5 * baseline.ratio:
            first = place
        elif steps[place].total and place < len(steps) - RECENT:
            break
    return now - STEP * (len(steps) - first)
