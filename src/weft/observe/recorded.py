"""What proxies count, written into the windows under Istio's names, so that Istio's queries find it."""

from weft.model.series import Series
from weft.model.standard_metrics import METRICS, standard_labels
from weft.observe.increments import Increment, OnIncrements
from weft.observe.promql.series import NAME
from weft.observe.windows.store import Windows
from weft.observe.windows.track import Track

_MOST = 10_000
"""Of so many kinds it is remembered where they are counted."""


def recorder(windows: Windows) -> OnIncrements:
    """Takes reports for the windows."""
    return _Recorder(windows).told


class _Recorder:
    """Remembers the track of a series: labels are written out and looked up once, not for each report."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._tracks: dict[tuple[Series, str], Track] = {}

    def told(self, _: float, increments: list[Increment]) -> None:
        tracks, windows = self._tracks, self._windows
        for series, what, count, total, cells in increments:
            track = tracks.get((series, what))
            if track is None or track.gone:
                track = self._found(series, what)
                if track is None:
                    continue
            if cells:
                windows.add_observed(track, cells, count, total)
            else:
                windows.add_counted(track, total)

    def _found(self, series: Series, what: str) -> Track | None:
        metric = METRICS.get(what)
        if metric is None:
            return None
        if len(self._tracks) >= _MOST:
            self._tracks.clear()
        track = self._windows.track(((NAME, metric.name), *standard_labels(series)))
        self._tracks[series, what] = track
        return track
