"""Bringing a SQLite file under the newest key when it is opened: what was never sealed, and what another key sealed.

Nothing of the old content stays: pages that it leaves are overwritten, the file is written anew and the log emptied.
"""

import sqlite3

from weft.store import schema
from weft.store.sealed import Sealer


def reseal(connection: sqlite3.Connection, sealer: Sealer) -> int:
    """Renew every document and every logged change that needs it, in one step; how many did.

    Revisions stay. Raises ``Unsealable`` when a document does not open, and then nothing was changed.
    """
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        renewed = _documents(connection, sealer) + _changes(connection, sealer)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    if renewed:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return renewed


def _documents(connection: sqlite3.Connection, sealer: Sealer) -> int:
    """Each is opened too: a wrong key and spoiled content are found at the start, not when they are needed."""
    count = 0
    for document in schema.read_documents(connection):
        renewed = sealer.renewed(document)
        sealer.opened(renewed)
        if renewed != document:
            schema.rewrite_document(connection, renewed)
            count += 1
    return count


def _changes(connection: sqlite3.Connection, sealer: Sealer) -> int:
    count = 0
    for change in schema.read_changes_of_kind(connection, "Secret"):
        document = sealer.renewed(change.document)
        previous = sealer.renewed(change.previous) if change.previous is not None else None
        if (document, previous) != (change.document, change.previous):
            schema.rewrite_change(connection, document, previous)
            count += 1
    return count
