"""Pytest's fixtures: ``mesh``, a mesh for one test, and ``session_mesh``, one for the whole run.

Nothing is imported or started before a test asks for one of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from weft.testing.mesh import Mesh
    from weft.testing.nurse import Nurse

_FIXTURES = ("mesh", "session_mesh")
_NURSERY = pytest.StashKey["Nurseries"]()


class Nurseries:
    """The two nurseries of a run, started when they are first needed."""

    def __init__(self) -> None:
        from weft.testing.nurse import Nurse

        self.root = Path(tempfile.mkdtemp(prefix="weft-"))
        self.planes: Nurse = Nurse("plane", self.root)
        self.agents: Nurse = Nurse("agent", self.root)
        self._numbers = count(1)

    def directory(self) -> Path:
        """A new directory, whose path is short: sockets are in it."""
        directory = self.root / str(next(self._numbers))
        directory.mkdir(mode=0o700)
        return directory

    def close(self) -> None:
        """End both, and all that they started."""
        self.agents.close()
        self.planes.close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to import the control plane while other tests run, if a test is going to need it."""
    if not session.config.option.collectonly and any(map(_asks_for_ours, session.items)):
        _nurseries(session.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what is left."""
    nurseries = config.stash.get(_NURSERY, None)
    if nurseries is not None:
        nurseries.close()
        del config.stash[_NURSERY]


@pytest.fixture(scope="session")
def weft_nurseries(request: pytest.FixtureRequest) -> Iterator[Nurseries]:
    """What starts the processes of meshes; it ends with the session's other fixtures."""
    yield _nurseries(request.config)
    pytest_unconfigure(request.config)


@pytest.fixture
def mesh(weft_nurseries: Nurseries, mesh_config: dict[str, object]) -> Iterator[Mesh]:
    """A mesh of the test's own: a control plane, and what the test runs in it."""
    with _mesh(weft_nurseries, mesh_config) as found:
        yield found


@pytest.fixture(scope="session")
def session_mesh(weft_nurseries: Nurseries, mesh_config: dict[str, object]) -> Iterator[Mesh]:
    """One mesh for all tests that ask for it."""
    with _mesh(weft_nurseries, mesh_config) as found:
        yield found


@pytest.fixture(scope="session")
def mesh_config() -> dict[str, object]:
    """Istio's MeshConfig of the meshes: override it to set ``trustDomain`` and the like."""
    return {}


@contextmanager
def _mesh(nurseries: Nurseries, settings: dict[str, object]) -> Iterator[Mesh]:
    from weft.testing.mesh import Mesh

    found = Mesh(nurseries.directory(), nurseries.planes, nurseries.agents, settings)
    try:
        yield found
    finally:
        found.close()


def _nurseries(config: pytest.Config) -> Nurseries:
    if _NURSERY not in config.stash:
        config.stash[_NURSERY] = Nurseries()
    return config.stash[_NURSERY]


def _asks_for_ours(item: pytest.Item) -> bool:
    """Whether a test uses a fixture of this module: others may have one that is called so, too."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    found = (known[name][-1] for name in _FIXTURES if known.get(name))
    return any(getattr(one.func, "__module__", "") == __name__ for one in found)
