"""Istio's fields, types and values, compared with our schemas."""

import csv
from typing import Any

import pytest

from tests.dialects.documents import BY_NAME
from tests.dialects.recorded import DATA, needs_data
from weft.dialects.translate import schema_of

KINDS = (
    "VirtualService",
    "DestinationRule",
    "ServiceEntry",
    "WorkloadEntry",
    "PeerAuthentication",
    "Sidecar",
    "Gateway",
    "WorkloadGroup",
    "EnvoyFilter",
)


def fields(kind: str) -> dict[str, dict[str, str]]:
    """Istio's fields of a kind by path."""
    with (DATA / "crd" / "fields.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["path"]: row for row in rows if row["kind"] == kind}


def flattened(schema: dict[str, Any], path: str = "spec") -> dict[str, dict[str, Any]]:
    """Our fields by path, written as Istio's list writes them."""
    found: dict[str, dict[str, Any]] = {}
    for name, field in schema.get("properties", {}).items():
        inner = field
        here = f"{path}.{name}"
        if field.get("type") == "array":
            here, inner = f"{here}[]", field["items"]
        found[here] = field
        below = inner.get("additionalProperties")
        found |= flattened(below, f"{here}{{}}") if isinstance(below, dict) else flattened(inner, here)
    return found


@needs_data
@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_istio_is_known_with_its_type_and_values(kind: str) -> None:
    schema: Any = schema_of(BY_NAME[kind], "v1")
    ours = flattened(schema["properties"]["spec"])
    theirs = fields(kind)
    assert theirs.keys() <= ours.keys()
    for path, row in theirs.items():
        assert ours[path].get("type") == row["type"], path
        if row["enum"]:
            assert set(ours[path]["enum"]) == set(row["enum"].split("|")), path


@needs_data
@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_field_that_istio_has_not(kind: str) -> None:
    schema: Any = schema_of(BY_NAME[kind], "v1")
    assert flattened(schema["properties"]["spec"]).keys() <= fields(kind).keys()


@needs_data
@pytest.mark.parametrize("kind", KINDS)
def test_descriptions_are_our_own(kind: str) -> None:
    schema: Any = schema_of(BY_NAME[kind], "v1")
    theirs = {row["description"].strip() for row in fields(kind).values() if row["description"].strip()}
    ours = {field.get("description", "") for field in flattened(schema["properties"]["spec"]).values()}
    assert "" not in ours
    assert not ours & theirs
