"""How the sinks are: what was dropped, and what cannot be written or passed on."""

from collections.abc import Iterable, Iterator

from weft.kit.value import Value
from weft.model.health import Check, Level

GROUP = "sinks"


class Sink(Value):
    """One place that takes what proxies tell: how much was dropped, how often the disk failed, and what is wrong.

    ``within``: seconds in which that was.
    """

    name: str
    what: str
    dropped: float = 0
    failed: float = 0
    problem: str = ""
    help: str = ""


def flowing(sinks: Iterable[Sink], since: str) -> Iterator[Check]:
    """One check for each sink; ``since`` says from when on was counted."""
    for sink in sinks:
        said = [
            f"{sink.dropped:.0f} {sink.what} were dropped {since}" if sink.dropped else "",
            f"{sink.failed:.0f} writes failed {since}" if sink.failed else "",
            sink.problem,
        ]
        wrong = [text for text in said if text]
        yield Check(
            name=f"sink-{sink.name}",
            group=GROUP,
            level=Level.WARN if wrong else Level.OK,
            message="; ".join(wrong) or f"no {sink.what} were dropped {since}",
            help=sink.help if wrong else "",
        )


class Lately:
    """What counters grew by within a time: what was dropped a week ago worries nobody."""

    def __init__(self, seconds: float = 600.0) -> None:
        self.seconds = seconds
        self._seen: dict[str, list[tuple[float, float]]] = {}

    def grown(self, name: str, value: float, now: float) -> float:
        """How much a counter grew lately; the first look begins with 0."""
        seen = self._seen.setdefault(name, [(now, 0.0)])
        seen.append((now, value))
        while len(seen) > 2 and seen[1][0] <= now - self.seconds:
            del seen[0]
        return max(0.0, value - seen[0][1])
