"""Columns of text, as kubectl sets them: upper-case heads, three blanks between."""

from collections.abc import Mapping, Sequence

from weft.cli.talk import coloured

_GAP = "   "


def table(head: Sequence[str], rows: Sequence[Sequence[str]], colours: Mapping[str, str] | None = None) -> str:
    """A table as text, without trailing blanks; the head in upper case (none if there is no head).

    ``colours``: of the cells that are one of these texts, kinds of ``talk``.
    """
    lines = [[name.upper() for name in head], *rows] if head else list(rows)
    columns = widths(lines)
    return "\n".join(_tinted(line, columns, colours) if colours else aligned(line, columns) for line in lines)


def widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """The width of every column."""
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def aligned(cells: Sequence[str], columns: Sequence[int]) -> str:
    """One line of a table."""
    return _GAP.join(cell.ljust(width) for cell, width in zip(cells, columns, strict=True)).rstrip()


def _tinted(cells: Sequence[str], columns: Sequence[int], colours: Mapping[str, str]) -> str:
    """A line whose cells may have colours, which have no width."""
    found = []
    for cell, width in zip(cells, columns, strict=True):
        text = coloured(cell, colours[cell]) if cell in colours else cell
        found.append(text + " " * (width - len(cell)))
    return _GAP.join(found).rstrip()
