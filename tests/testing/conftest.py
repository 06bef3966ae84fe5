"""A mesh for a module, whether or not this checkout's plugin is among the installed ones."""

from collections.abc import Iterator

import pytest

from weft.testing.mesh import Mesh
from weft.testing.plugin import Nurseries


@pytest.fixture(scope="module")
def nurseries() -> Iterator[Nurseries]:
    found = Nurseries()
    yield found
    found.close()


@pytest.fixture(scope="module")
def mesh(nurseries: Nurseries) -> Iterator[Mesh]:
    found = Mesh(nurseries.directory(), nurseries.planes, nurseries.agents)
    yield found
    found.close()
