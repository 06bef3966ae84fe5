"""SQLite files of observations: what may be lost, and is begun anew when it cannot be read.

Configuration is never kept so: its store refuses what it does not understand.
"""

import sqlite3
from pathlib import Path


def open_observations(path: Path | None, version: int, schema: str) -> sqlite3.Connection:
    """The database of a file, made by ``schema`` where there is none, or one of another version, or none at all.

    ``None`` keeps it in memory. Any thread may use it, one at a time.
    """
    try:
        database = _connected(path)
        found = database.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        found = -1
    if found not in (0, version) and path is not None:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        database, found = _connected(path), 0
    if found != version:
        with database:
            database.executescript(schema)
            database.execute(f"PRAGMA user_version = {version}")
    return database


def _connected(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.touch(0o600)  # and so are the files that SQLite puts beside it
    database = sqlite3.connect(":memory:" if path is None else path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    return database
