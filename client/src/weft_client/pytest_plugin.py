"""What pytest loads of weft-client: the fixtures of weft, which starts real meshes, where it is installed.

Both packages name this plugin alike, so that it is loaded once.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest


def _weft_is_there() -> bool:
    try:
        return importlib.util.find_spec("weft.testing") is not None
    except ModuleNotFoundError:  # weft is the module of weft-client
        return False


if _weft_is_there():
    from weft.testing.plugin import (  # noqa: F401
        mesh,
        mesh_config,
        pytest_collection_finish,
        pytest_unconfigure,
        session_mesh,
        weft_nurseries,
    )
else:
    _NEEDED = "this fixture starts a control plane and Envoys: pip install 'weft-client[mesh]'"

    @pytest.fixture
    def mesh() -> Any:
        """Says what is missing."""
        pytest.fail(_NEEDED, pytrace=False)

    @pytest.fixture(scope="session")
    def session_mesh() -> Any:
        """Says what is missing."""
        pytest.fail(_NEEDED, pytrace=False)
