"""The rows of a kind: each field works, differs, has no effect or is refused, with the reason; none is left open."""

from typing import Any, NamedTuple

from build_tools.compat.fields import Field, fields_of
from build_tools.compat.notes import Notes, longest, notes_of, told
from build_tools.compat.probe import Probed, probed
from weft.dialects.kinds import Kind
from weft.dialects.translate import spec_type

WORKS, DIFFERS, NO_EFFECT, REFUSED, OPEN = "works", "differs", "no effect", "refused", "open"


class Row(NamedTuple):
    """A field's line; ``below`` says that it stands for the fields in it too."""

    path: str
    status: str
    remark: str = ""
    below: bool = False


class Table(NamedTuple):
    """A kind's lines, and what of its notes is wrong; ``every`` has those that the page says as ``as ...`` too."""

    rows: tuple[Row, ...]
    faults: tuple[str, ...]
    about: str = ""
    every: tuple[Row, ...] = ()


def table_of(kind: Kind) -> Table:
    """Every field of a kind."""
    try:
        notes = notes_of(kind)
    except FileNotFoundError as missing:
        notes, faults = Notes(), [f"there is no {missing.filename}"]
    else:
        faults = []
    fields = tuple(fields_of(spec_type(kind)))
    rows = _rows(kind, fields, notes)
    faults += [f"{row.path}: {row.remark}" for row in rows if row.status == OPEN]
    faults += _stale(rows, fields, notes)
    return Table(_shortened(rows, fields), tuple(faults), notes.about, tuple(rows))


def _rows(kind: Kind, fields: tuple[Field, ...], notes: Notes) -> list[Row]:
    rows: list[Row] = []
    closed: list[str] = []
    for field in fields:
        if longest(dict.fromkeys(closed, ""), field.path):
            continue
        row = _row(kind, field, notes)
        if row is not None:
            rows.append(row)
            closed += [row.path] if row.below else []
    return rows


def _row(kind: Kind, field: Field, notes: Notes) -> Row | None:
    """The line of a field; none for one of which those in it tell."""
    path = field.path
    holds = field.model is not None
    for status, said in ((DIFFERS, notes.differs), (NO_EFFECT, notes.no_effect)):
        remark = told(said, path)
        if remark is not None:
            return Row(path, status, remark, holds)
    shown = probed(kind, field, notes)
    if shown.refused and not shown.accepted:
        return Row(path, REFUSED, told(notes.refused, path) or "", holds)
    remark = told(notes.works, path)
    if holds:
        return None if remark is None else Row(path, WORKS, remark, True)
    if shown.effect or remark is not None or (shown.accepted and any(shown.refused)):
        return Row(path, WORKS, _joined(remark or "", _options(path, shown, notes), shown.warned))
    if shown.accepted and shown.warned:
        return Row(path, NO_EFFECT, shown.warned)
    return Row(path, OPEN, f"accepted without effect, or not tried ({shown.wrong or 'the model is the same'})")


def _options(path: str, shown: Probed, notes: Notes) -> str:
    said = []
    for value in filter(None, shown.refused):
        reason = told(notes.refused, f"{path}={value}")
        said.append(f"`{value}` is refused" + (f": {reason}" if reason else ""))
    return "; ".join(said)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _stale(rows: list[Row], fields: tuple[Field, ...], notes: Notes) -> list[str]:
    """Notes of what is not there, or not so any more; and what is refused without a reason."""
    known = {field.path for field in fields}
    known |= {path[at + 1 :] for path in known for at, sign in enumerate(path) if sign == "."}
    named = {*notes.works, *notes.differs, *notes.no_effect, *(path.partition("=")[0] for path in notes.refused)}
    faults = [f"{path}: there is no such field" for path in named - known]
    for path in notes.refused:
        name, _, value = path.partition("=")
        mine = [row for row in rows if row.path == name or row.path.endswith(f".{name}")]
        if not any(f"`{value}` is refused" in row.remark if value else row.status == REFUSED for row in mine):
            faults.append(f"{path}: it is not refused any more")
    faults += [f"{row.path}: refused, but the notes give no reason" for row in rows if _unreasoned(row)]
    return sorted(faults)


def _unreasoned(row: Row) -> bool:
    return (row.status == REFUSED and not row.remark) or any(
        part.endswith("` is refused") for part in row.remark.split("; ")
    )


def _shortened(rows: list[Row], fields: tuple[Field, ...]) -> tuple[Row, ...]:
    """The rows, where a message that came before with the same lines is one line that says so."""
    messages = {field.path: field.model for field in fields if field.model is not None}
    first: dict[object, str] = {}
    short: list[Row] = []
    alike: dict[str, str] = {}
    begun: set[str] = set()
    for row in rows:
        if longest(alike, row.path) is not None:
            continue
        same = _same(row, rows, messages, first, begun)
        if same is None:
            short.append(row)
        else:
            alike[same.path] = ""
            short.append(same)
    return tuple(short)


def _same(row: Row, rows: list[Row], messages: dict[str, Any], first: dict[object, str], begun: set[str]) -> Row | None:
    """A line for the outermost message that begins with this row, if one like it came before."""
    for path in (one for one in messages if row.path.startswith(f"{one}.") and one not in begun):
        begun.add(path)
        lines = tuple((one.path[len(path) :], *one[1:]) for one in rows if one.path.startswith(f"{path}."))
        seen = first.setdefault((messages[path], lines), path)
        if seen != path and len(lines) > 1:
            return Row(path, "", f"as `{seen}`", True)
    return None
