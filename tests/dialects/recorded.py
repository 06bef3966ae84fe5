"""Recorded data of Istio that lies beside the checkout; tests that need it are skipped where it is not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "istio"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="there is no ../shared/data/istio beside the checkout")


def lines(name: str) -> Iterator[dict[str, Any]]:
    """The objects of a file with one in each line; none where the data is not."""
    path = DATA / name
    if path.is_file():
        with path.open() as file:
            yield from map(json.loads, file)
