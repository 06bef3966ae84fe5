"""One control plane for the threats of a module."""

from collections.abc import Iterator

import pytest

from tests.threats.plane import Member, Plane, plane


@pytest.fixture(scope="package")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """The control plane that every threat meets; it must be well at the end."""
    with plane(tmp_path_factory.mktemp("attacked")) as running:
        yield running
        running.well()


@pytest.fixture(scope="package")
def rogue(attacked: Plane) -> Member:
    """A workload of the mesh that somebody has taken over."""
    return attacked.join("shop", "rogue")
