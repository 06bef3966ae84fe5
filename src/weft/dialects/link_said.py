"""What all fragments say together, gathered run by run, so that one changed document costs its neighbours alone."""

from typing import Any

from weft.dialects.fragment import Collections, Fragment
from weft.dialects.parts import Part
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, joined
from weft.model.route import RouteTable
from weft.model.workload import Workload


class Said(Collections):
    """The collections of fragments, one after another in the order of fragments."""

    parts: tuple[Part, ...] = ()


_NAMES = tuple(name for name in Said.__struct_fields__ if name != "parts")


def said_by(runs: tuple[Run[Fragment], ...]) -> Said:
    """Everything that fragments say."""
    found = [_said(run) for run in runs]
    return Said(**{name: joined(getattr(one, name) for one in found) for name in Said.__struct_fields__})


@memo(RUNS)
def _said(run: Run[Fragment]) -> Said:
    every: dict[str, Any] = {name: joined(getattr(one, name) for one in run.items) for name in _NAMES}
    return Said(**every, parts=tuple(one.part for one in run.items if one.part is not None))


def tables_in(runs: tuple[Run[Fragment], ...]) -> tuple[Run[RouteTable], ...]:
    """The route tables of fragments, cut where the fragments are."""
    found = (_tables(run) for run in runs)
    return tuple(run for run in found if run.items)


def workloads_in(runs: tuple[Run[Fragment], ...]) -> tuple[Run[Workload], ...]:
    """The workloads of fragments, cut where the fragments are."""
    found = (_workloads(run) for run in runs)
    return tuple(run for run in found if run.items)


@memo(RUNS)
def _tables(run: Run[Fragment]) -> Run[RouteTable]:
    return Run(items=_said(run).route_tables)


@memo(RUNS)
def _workloads(run: Run[Fragment]) -> Run[Workload]:
    return Run(items=_said(run).workloads)
