"""What came of the load generator's requests: counts and latencies in bounded memory, and a line each in a file."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

# Latencies are counted in steps of 2 percent, from 0.05 ms: enough for percentiles, in bounded memory.
STEP, SMALLEST_MS = math.log(1.02), 0.05
BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one request: ok, error (the server said no), timeout, broken, or shed (never sent)."""

    outcome: str
    status: str = ""
    served_by: str = ""
    served_via: str = ""
    detail: str = ""


class Latencies:
    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()
        self.highest = 0.0

    def add(self, ms: float) -> None:
        self._steps[math.ceil(math.log(max(ms, SMALLEST_MS) / SMALLEST_MS) / STEP)] += 1
        self.highest = max(self.highest, ms)

    def _upper_bounds(self) -> Iterator[tuple[float, int]]:
        for step in sorted(self._steps):
            yield min(SMALLEST_MS * math.exp(step * STEP), self.highest), self._steps[step]

    def percentile(self, share: float) -> float:
        """Milliseconds that `share` of the requests did not exceed, to within 2 percent."""
        wanted, seen = share * self._steps.total(), 0
        for bound, count in self._upper_bounds():
            seen += count
            if seen >= wanted:
                return round(bound, 3)
        return 0.0

    def summary(self) -> dict[str, Any]:
        percentiles = {f"p{share:g}": self.percentile(share / 100) for share in (50, 90, 99, 99.9)}
        histogram: Counter[str] = Counter()
        for bound, count in self._upper_bounds():
            histogram[next((f"<={limit}" for limit in BOUNDS_MS if bound <= limit), "more")] += count
        return percentiles | {"max": round(self.highest, 3), "histogram": dict(histogram)}


@dataclass(kw_only=True)
class Tally:
    """The figures of one protocol; those of all together are made by adding to a second one."""

    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def add(self, answer: Answer, ms: float) -> None:
        self.outcomes[answer.outcome] += 1
        if answer.status:
            self.statuses[answer.status] += 1
        for name in filter(None, (answer.served_by, *answer.served_via.split(", "))):
            self.served_by[name] += 1
        if answer.outcome != "shed":
            self.latencies.add(ms)

    def summary(self) -> dict[str, Any]:
        counts = {"requests": self.outcomes.total(), "outcomes": dict(self.outcomes), "statuses": dict(self.statuses)}
        return counts | {"served_by": dict(self.served_by), "latency_ms": self.latencies.summary()}


class Report:
    """Where every request ends up: in the tallies, and as a line in the file."""

    def __init__(self, out: TextIO | None) -> None:
        self._out, self._total, self._tallies = out, Tally(), dict[str, Tally]()

    def add(self, request_id: str, protocol: str, target: str, started: float, ms: float, answer: Answer) -> None:
        for tally in (self._total, self._tallies.setdefault(protocol, Tally())):
            tally.add(answer, ms)
        if self._out:
            line = {"id": request_id, "at": round(started, 6), "protocol": protocol, "target": target}
            line |= {"outcome": answer.outcome, "ms": round(ms, 3), "status": answer.status}
            line |= {"served_by": answer.served_by, "served_via": answer.served_via, "detail": answer.detail}
            print(json.dumps(line), file=self._out)

    def summary(self, seconds: float) -> dict[str, Any]:
        protocols = {name: tally.summary() for name, tally in self._tallies.items()}
        rate = round(self._total.outcomes.total() / seconds, 2) if seconds else 0
        return {"seconds": round(seconds, 3), "rate": rate, **self._total.summary(), "protocols": protocols}
