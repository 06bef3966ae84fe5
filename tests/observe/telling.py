"""Telling windows what proxies would: ``(series, what, how many, their sum, how many in which cell)``."""

from weft.model.series import Series
from weft.observe.histograms import Distribution
from weft.observe.recorded import Recorder
from weft.observe.windows.store import Windows

Increment = tuple[Series, str, int, float, tuple[tuple[int, int], ...]]


def tell(windows: Windows, *increments: Increment) -> None:
    recorder = Recorder(windows)
    for series, what, count, total, cells in increments:
        place = recorder.place(series, what)
        if place is None:
            continue
        if cells:
            recorder.observe(place, (count, total, cells))
        else:
            recorder.count(place, total)


class Heard:
    """Keeps what was told, as increments."""

    def __init__(self) -> None:
        self.all: list[Increment] = []

    def place(self, series: Series, what: str) -> tuple[Series, str]:
        return series, what

    def count(self, place: tuple[Series, str], amount: float) -> None:
        self.all.append((*place, round(amount), amount, ()))

    def observe(self, place: tuple[Series, str], values: Distribution) -> None:
        self.all.append((*place, *values))
