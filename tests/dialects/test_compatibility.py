"""The table of fields: nothing of a document is silently ignored, and the page says what is true."""

import csv
from typing import Any

import pytest

from build_tools.compat.notes import longest
from build_tools.compat.page import PAGE, faults, rewritten, tables
from build_tools.compat.table import Table
from tests.dialects.recorded import DATA, needs_data
from weft.dialects.kinds import Kind

_BY_NAME = {(kind.group, kind.kind): table for kind, table in tables()}

_ISTIO = [kind for kind, _ in tables() if kind.group.endswith(".istio.io")]


def test_every_field_of_every_kind_works_or_is_refused_or_has_its_reason() -> None:
    assert not faults(), "see docs/how-to-add-a-kind.md: the notes are in build_tools/compat/"


def test_the_page_is_what_the_schemas_the_checks_and_the_notes_make() -> None:
    page = PAGE.read_text()
    assert page == rewritten(page), "run `make compat` (python -m build_tools.compat)"


def _istio() -> list[tuple[str, str]]:
    path = DATA / "crd" / "fields.tsv"
    if not path.is_file():
        return []
    with path.open() as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["kind"], row["path"].removeprefix("spec.")) for row in rows]


def _tells_of(table: Table, path: str) -> bool:
    """Whether a line is about a field, about what it is a part of, or about a part of it."""
    lines: dict[str, Any] = {row.path: row for row in table.rows}
    return longest({one: row for one, row in lines.items() if row.below or one == path}, path) is not None or any(
        longest({path: None}, one) for one in lines
    )


@needs_data
@pytest.mark.parametrize(
    "kind", [kind for kind, _ in tables() if kind.group.endswith(".istio.io")], ids=lambda k: k.kind
)
def test_each_field_that_istio_documents_has_its_line(kind: Kind) -> None:
    theirs = [path for name, path in _istio() if name == kind.kind]
    assert theirs
    table = _BY_NAME[(kind.group, kind.kind)]
    assert [path for path in theirs if not _tells_of(table, path)] == []
