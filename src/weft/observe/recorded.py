"""What proxies count, written into the windows under Istio's names, so that Istio's queries find it."""

from weft.model.series import Series
from weft.model.standard_metrics import METRICS, standard_labels
from weft.observe.histograms import Distribution
from weft.observe.promql.series import NAME
from weft.observe.windows.store import Windows
from weft.observe.windows.track import Track


class Recorder:
    """Where reports are counted. A place is found once and kept by whoever counts there."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    def place(self, series: Series, what: str) -> Track | None:
        """Where a series is counted; ``None`` for what no metric counts. ``what``: a key of ``METRICS``."""
        metric = METRICS.get(what)
        if metric is None:
            return None
        return self._windows.track(((NAME, metric.name), *standard_labels(series)))

    def count(self, place: Track, amount: float) -> None:
        """Add to a counter."""
        self._windows.add_counted(self._kept(place), amount)

    def observe(self, place: Track, values: Distribution) -> None:
        """Add values: times in milliseconds, sizes in bytes."""
        count, total, cells = values
        self._windows.add_observed(self._kept(place), cells, count, total)

    def _kept(self, place: Track) -> Track:
        """A series that was not heard of for long begins anew."""
        return self._windows.track(place.labels) if place.gone else place
