"""The SQLite file: how it is opened, its tables, their migrations, and documents as rows."""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from weft.kit.errors import UserError
from weft.model.document import Document, Key
from weft.store.source import Change, ChangeKind, Record

Row = Sequence[object]

_FIRST = """
CREATE TABLE documents (
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, created TEXT NOT NULL, uid TEXT NOT NULL, labels TEXT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (api_group, kind, namespace, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY, change TEXT NOT NULL, document BLOB NOT NULL, previous BLOB
) STRICT;
CREATE TABLE records (
    bucket TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, expires REAL,
    PRIMARY KEY (bucket, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (revision INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES (0);
"""
MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Scripts in order; a file at version n has seen the first n."""

_pack = msgspec.msgpack.Encoder().encode
_unpack_document = msgspec.msgpack.Decoder(Document).decode
_labels = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


def lock_file(path: Path) -> int:
    """Take the lock beside the file, which lasts until the descriptor is closed or the process ends."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            f"{path} is in use by another control plane",
            help="stop the other one, or give this one a state directory of its own",
        ) from None
    return descriptor


def connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open (or create, for its owner alone) the file and bring its tables up to date.

    ``synchronous=FULL``: a commit has reached the disk when it is acknowledged, so that a power loss takes nothing
    either. ``UserError`` says why a file cannot be used.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        _refuse_corrupt(path, connection)
        _migrate(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_corrupt(path: Path, connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise corrupt(path)


def corrupt(path: Path) -> UserError:
    """What is said of a file that is no sound database."""
    return UserError(
        f"{path} is damaged or is no sqlite database",
        help="move it away (with its -wal file) and start again, or restore a copy",
    )


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise UserError(
            f"{path} was written by a newer weft (its tables are version {version}, this one knows {len(MIGRATIONS)})",
            help="run that weft, or give this one a state directory of its own",
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{script};PRAGMA user_version = {number};COMMIT;")


def read_counter(connection: sqlite3.Connection) -> int:
    """The newest revision."""
    return int(connection.execute("SELECT revision FROM counter").fetchone()[0])


_DOCUMENT = "api_group, kind, namespace, name, revision, created, uid, labels, content"
_BY_KEY = "WHERE api_group = ? AND kind = ? AND namespace = ? AND name = ?"


def read_documents(connection: sqlite3.Connection) -> tuple[Document, ...]:
    """Every document."""
    return tuple(_document(row) for row in connection.execute(f"SELECT {_DOCUMENT} FROM documents"))  # noqa: S608


def read_document(connection: sqlite3.Connection, key: Key) -> Document | None:
    """One document."""
    row = connection.execute(f"SELECT {_DOCUMENT} FROM documents {_BY_KEY}", _key_row(key)).fetchone()  # noqa: S608
    return _document(row) if row else None


def write_change(connection: sqlite3.Connection, change: Change) -> None:
    """Make one change, log it and count it."""
    document = change.document
    if change.kind is ChangeKind.DELETED:
        connection.execute(f"DELETE FROM documents {_BY_KEY}", _key_row(document.key))  # noqa: S608
    else:
        connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(document))
    previous = _pack(change.previous) if change.previous else None
    logged = (document.revision, change.kind.value, _pack(document), previous)
    connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", logged)
    connection.execute("UPDATE counter SET revision = ?", (document.revision,))


def read_changes(connection: sqlite3.Connection, since: int, limit: int) -> tuple[Change, ...]:
    """At most ``limit`` changes after revision ``since``."""
    rows = connection.execute(
        "SELECT change, document, previous FROM changes WHERE revision > ? ORDER BY revision LIMIT ?", (since, limit)
    )
    return tuple(_change(*row) for row in rows)


def read_changes_of_kind(connection: sqlite3.Connection, kind: str) -> tuple[Change, ...]:
    """Every logged change whose document, or what it was before, may be of a kind."""
    rows = connection.execute(
        "SELECT change, document, previous FROM changes WHERE instr(document, CAST(? AS BLOB))", (kind,)
    )
    return tuple(_change(*row) for row in rows)


def rewrite_document(connection: sqlite3.Connection, document: Document) -> None:
    """Write a document down otherwise; for everybody it is the same, at the same revision."""
    connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(document))


def rewrite_change(connection: sqlite3.Connection, document: Document, previous: Document | None) -> None:
    """Likewise a logged change."""
    row = (_pack(document), _pack(previous) if previous is not None else None, document.revision)
    connection.execute("UPDATE changes SET document = ?, previous = ? WHERE revision = ?", row)


def prune_changes(connection: sqlite3.Connection, up_to: int) -> None:
    """Forget the changes up to a revision."""
    connection.execute("DELETE FROM changes WHERE revision <= ?", (up_to,))


def read_records(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """Every record, expired or not."""
    rows = connection.execute("SELECT bucket, name, value, expires FROM records")
    return tuple(Record(bucket=row[0], name=row[1], value=row[2], expires=row[3]) for row in rows)


def write_record(connection: sqlite3.Connection, record: Record, now: float) -> None:
    """Write or overwrite a record; those that have expired go."""
    connection.execute("DELETE FROM records WHERE expires <= ?", (now,))
    row = (record.bucket, record.name, record.value, record.expires)
    connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", row)


def remove_record(connection: sqlite3.Connection, bucket: str, name: str) -> Record | None:
    """Remove a record and return it, expired or not."""
    removal = "DELETE FROM records WHERE bucket = ? AND name = ? RETURNING value, expires"
    rows = connection.execute(removal, (bucket, name)).fetchall()
    return Record(bucket=bucket, name=name, value=rows[0][0], expires=rows[0][1]) if rows else None


def _key_row(key: Key) -> tuple[str, str, str, str]:
    return (key.group, key.kind, key.namespace, key.name)


def _row(document: Document) -> Row:
    labels = msgspec.json.encode(document.labels).decode()
    content = document.content.decode()
    return (*_key_row(document.key), document.revision, document.created, document.uid, labels, content)


def _document(row: tuple[str, str, str, str, int, str, str, str, str]) -> Document:
    group, kind, namespace, name, revision, created, uid, labels, content = row
    return Document(
        key=Key(group=group, kind=kind, namespace=namespace, name=name),
        content=content.encode(),
        revision=revision,
        created=created,
        uid=uid,
        labels=_labels(labels),
    )


def _change(kind: str, document: bytes, previous: bytes | None) -> Change:
    before = _unpack_document(previous) if previous else None
    return Change(kind=ChangeKind(kind), document=_unpack_document(document), previous=before)
