"""What keeps workers of one test run apart that capture at the same time."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from weft.agent.capture.cgroup import cgroup_of, place
from weft.kit.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def a_cgroup_of_ones_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """The workloads of several modules have the same names, and a workload's end is that of all in its cgroup.

    Network namespaces do not keep cgroups apart: so whoever captures is in one that no other worker is in.
    """
    captures = request.node.get_closest_marker("root") is not None and os.geteuid() == 0
    before = _joined() if captures else None
    yield
    if before is not None:
        made = _here()
        _enter(before)
        with suppress(OSError):  # somebody of an application that was killed may still be on the way out
            made.rmdir()


def _joined() -> Path | None:
    """Enter a new cgroup; the one of before, if there are any."""
    try:
        before = _here()
    except UserError:
        return None
    made = before / f"tests-{os.getpid()}"
    made.mkdir(exist_ok=True)
    _enter(made)
    return before


def _here() -> Path:
    """The directory of our own cgroup."""
    return place(cgroup_of("any")).parent


def _enter(directory: Path) -> None:
    (directory / "cgroup.procs").write_text(str(os.getpid()))
