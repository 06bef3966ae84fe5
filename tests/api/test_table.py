"""Ages, JSON paths and tables."""

from typing import Any

import pytest

from weft.api.resources import Resource
from weft.api.table import Tables, age, values_at
from weft.dialects.kinds import Column, Kind


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (303, "5m3s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 180, "5h3m"),
        (26 * 3600, "26h"),
        (3 * 86400 + 4 * 3600, "3d4h"),
        (12 * 86400, "12d"),
        (400 * 86400, "400d"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (20 * 365 * 86400, "20y"),
    ],
)
def test_ages_are_shown_as_kubectl_shows_them(seconds: int, shown: str) -> None:
    assert age(seconds) == shown


CONTENT: dict[str, Any] = {
    "metadata": {"name": "x", "creationTimestamp": "2023-11-14T22:13:20Z", "labels": {"a.b/c": "d"}},
    "spec": {"hosts": ["a", "b"], "ports": [{"port": 1}, {"port": 2}], "on": True, "none": None},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.hosts", [["a", "b"]]),
        (".spec.hosts[0]", ["a"]),
        (".spec.hosts[7]", []),
        (".spec.ports[*].port", [1, 2]),
        (".spec.none", []),
        (".spec.no.such", []),
        (".metadata.labels['a.b/c']", ["d"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
    ],
)
def test_json_paths_select(path: str, values: list[Any]) -> None:
    assert values_at(CONTENT, path) == values


def cells(*columns: Column, content: dict[str, Any] = CONTENT) -> list[Any]:
    kind = Kind(group="g", kind="K", plural="ks", singular="k", versions=("v1",), columns=columns)
    table = Tables(Resource(kind=kind), "v1", "None", 1_700_000_000.0).table([content], {})
    (row,) = table["rows"]
    assert len(row["cells"]) == len(table["columnDefinitions"])
    found: list[Any] = row["cells"]
    return found


def test_a_row_begins_with_the_name_and_ends_with_the_age() -> None:
    assert cells() == ["x", "0s"]
    assert cells(content={"metadata": {"name": "x"}}) == ["x", "<unknown>"]
    assert cells(content={"metadata": {"name": "x", "creationTimestamp": "soon"}}) == ["x", "<invalid>"]


def test_cells_are_texts_lists_numbers_and_flags() -> None:
    columns = [
        Column(name="Hosts", json_path=".spec.hosts"),
        Column(name="Ports", json_path=".spec.ports[*].port"),
        Column(name="First", json_path=".spec.ports[0].port", type="integer"),
        Column(name="On", json_path=".spec.on", type="boolean"),
        Column(name="None", json_path=".spec.none"),
    ]
    assert cells(*columns)[1:-1] == ['["a","b"]', "1,2", 1, True, ""]
