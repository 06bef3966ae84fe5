"""One control plane for the threats of a module."""

import socket
from collections.abc import Iterator

import pytest

from tests.threats.edge import Edge, edge
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


@pytest.fixture(scope="package")
def front(attacked: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A gateway that everybody reaches, with an application behind it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with edge(attacked, tmp_path_factory.mktemp("front"), held.getsockname()[1]) as running:
            yield running
