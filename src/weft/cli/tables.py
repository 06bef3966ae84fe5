"""Columns of text, as kubectl sets them: upper-case heads, three blanks between."""

from collections.abc import Sequence

_GAP = "   "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text, without trailing blanks; the head in upper case (none if there is no head)."""
    lines = [[name.upper() for name in head], *rows] if head else list(rows)
    return "\n".join(aligned(line, widths(lines)) for line in lines)


def widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """The width of every column."""
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def aligned(cells: Sequence[str], columns: Sequence[int]) -> str:
    """One line of a table."""
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, columns, strict=True)).rstrip()
