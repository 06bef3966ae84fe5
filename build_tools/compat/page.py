"""The generated part of docs/compatibility.md."""

from functools import cache
from pathlib import Path

from build_tools.compat.table import Row, Table, table_of
from weft.dialects.kinds import Kind
from weft.dialects.translate import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
BEGIN = "<!-- made by `make compat`; edit build_tools/compat/ instead -->"
END = "<!-- end of what `make compat` makes -->"


@cache
def tables() -> tuple[tuple[Kind, Table], ...]:
    """The table of every kind that the mesh reads."""
    return tuple((kind, table_of(kind)) for kind in KINDS)


def faults() -> list[str]:
    """Fields of which nothing is said, and notes that are wrong."""
    return [f"{kind.kind} ({kind.group or 'core'}): {fault}" for kind, table in tables() for fault in table.faults]


def rewritten(page: str) -> str:
    """A page with its generated part made anew."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("docs/compatibility.md has lost the comments around its generated part")
    return f"{before}{BEGIN}\n\n{_sections()}\n{END}{after}"


def _sections() -> str:
    return "\n".join(_section(kind, table) for kind, table in tables())


def _section(kind: Kind, table: Table) -> str:
    group = f" ({kind.group})" if kind.group else ""
    lines = [f"### {kind.kind}{group}", ""]
    if table.about:
        lines += [table.about.strip(), ""]
    lines += ["| field | | |", "|---|---|---|", *(_line(row) for row in table.rows), ""]
    return "\n".join(lines)


def _line(row: Row) -> str:
    remark = row.remark.replace("|", "\\|").replace("\n", " ").strip()
    return f"| `{row.path}` | {row.status} | {remark} |"
