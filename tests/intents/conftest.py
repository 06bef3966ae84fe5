"""A running mesh for each module of live tests that asks for one."""

from collections.abc import Iterator

import pytest

from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniMesh]:
    """Without any intent at first."""
    with minimesh(tmp_path_factory.mktemp("mesh"), world()) as running:
        yield running
