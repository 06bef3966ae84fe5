"""Istio's own cases, where the machine has them: they are not part of the repository."""

import json
from pathlib import Path
from typing import Any

import pytest

_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "istio"


def cases(path: str) -> list[Any]:
    """The cases of a file as test parameters; one skipped parameter, with the reason, where there is no such file."""
    file = _DATA / path
    if not file.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"needs istio's recorded cases: {path}"))]
    read = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    return [pytest.param(case, id=f"{number}-{case['test'].rpartition('/')[2]}") for number, case in enumerate(read)]
