"""Where workloads are in the mesh's list of them, by labels and by name.

It stays the same object while workloads change in other ways, as those do that come to be unhealthy: so what was looked
up in it once is looked up for every revision until a workload comes or goes.
"""

from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, joined, runs_of
from weft.kit.value import Labels, Value, includes
from weft.model.workload import Workload

Places = tuple[int, ...]


class Named(Value):
    """Namespace, name and labels of some workloads."""

    items: tuple[tuple[str, str, Labels], ...]


class WorkloadPlaces:
    """Look-ups; answers are remembered."""

    def __init__(self, items: tuple[tuple[str, str, Labels], ...]) -> None:
        self._items = items
        self._labelled: dict[tuple[str, tuple[str, str] | None], list[int]] = {}
        self._named: dict[tuple[str, str], Places] = {}
        self._selected: dict[tuple[str, Labels], Places] = {}
        for place, (namespace, name, labels) in enumerate(items):
            self._named[namespace, name] = (*self._named.get((namespace, name), ()), place)
            for pair in (None, *labels):
                self._labelled.setdefault((namespace, pair), []).append(place)

    def selected(self, namespace: str, selector: Labels) -> Places:
        """The workloads of a namespace that have some labels."""
        key = (namespace, selector)
        if key not in self._selected:
            candidates = self._labelled.get((namespace, selector[0] if selector else None), ())
            self._selected[key] = tuple(place for place in candidates if includes(self._items[place][2], selector))
        return self._selected[key]

    def named(self, namespace: str, name: str) -> Places:
        """The workloads of a name: one may be registered under several addresses."""
        return self._named.get((namespace, name), ())


def places_of(workloads: tuple[Workload, ...]) -> WorkloadPlaces:
    """The places of workloads in their list."""
    return _places(tuple(_named(run) for run in runs_of(workloads)))


@memo(RUNS)
def _named(run: Run[Workload]) -> Named:
    return Named(items=tuple((one.namespace, one.name, one.labels) for one in run.items))


@memo(4)
def _places(parts: tuple[Named, ...]) -> WorkloadPlaces:
    return WorkloadPlaces(joined(part.items for part in parts))
