"""What the SQLite store does beyond the contract: it survives, and it says why it cannot."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from weft.kit.errors import UserError
from weft.model.document import Document, Key
from weft.store.schema import MIGRATIONS
from weft.store.source import Conflict, Record, StoreUnavailable
from weft.store.sqlite import open_sqlite

pytestmark = pytest.mark.asyncio
KEY = Key(group="g", kind="K", namespace="n", name="a")


def document(content: bytes = b"{}", key: Key = KEY) -> Document:
    return Document(key=key, content=content, created="2026-01-01T00:00:00Z", uid="u", labels=(("ä", "✓"),))


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    store = await open_sqlite(path)
    await store.create(document())
    replaced = await store.replace(document('{"text":"ü"}'.encode()), None)
    await store.create(document(key=Key(kind="K", name="gone")))
    await store.delete(Key(kind="K", name="gone"), None)
    await store.put_record(Record(bucket="b", name="r", value=b"\x00\xff", expires=4e9))
    await store.close()
    store = await open_sqlite(path)
    try:
        assert await store.revision() == 4
        assert (await store.snapshot()).documents == (replaced,)
        assert await store.read_record("b", "r") == Record(bucket="b", name="r", value=b"\x00\xff", expires=4e9)
        async with aclosing(store.changes(1)) as changes:  # type: ignore[type-var]
            change = await anext(changes)
        assert (change.document, change.previous) == (replaced, document().__class__(**_fields(document(), 1)))
    finally:
        await store.close()


def _fields(of: Document, revision: int) -> dict[str, object]:
    return {name: getattr(of, name) for name in of.__struct_fields__} | {"revision": revision}


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "state" / "weft.db"
    store = await open_sqlite(path)
    await store.create(document())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert modes == dict.fromkeys(("weft.db", "weft.db-wal", "weft.db-shm", "weft.db.lock"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_commit_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "weft.db")
    settings = [await store._writer.read(lambda c, n=name: c.execute(f"PRAGMA {n}").fetchone()[0]) for name in _PRAGMAS]
    await store.close()
    assert settings == ["wal", 2]


_PRAGMAS = ("journal_mode", "synchronous")


async def test_a_second_control_plane_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    store = await open_sqlite(path)
    with pytest.raises(UserError, match="in use by another control plane"):
        await open_sqlite(path)
    await store.close()
    await (await open_sqlite(path)).close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    path.write_bytes(b"this is a text, not a database" * 100)
    with pytest.raises(UserError, match="damaged or is no sqlite database"):
        await open_sqlite(path)
    assert path.read_bytes().startswith(b"this is a text")


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    store = await open_sqlite(path)
    await asyncio.gather(*(store.create(document(b"x" * 900, Key(kind="K", name=str(n)))) for n in range(200)))
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(7).randbytes(size - 8192))
    with pytest.raises(UserError, match="damaged"):
        await open_sqlite(path)


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    await (await open_sqlite(path)).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(UserError, match="newer weft"):
        await open_sqlite(path)


async def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be opened"):
        await open_sqlite(tmp_path / "file" / "weft.db")
    (tmp_path / "directory").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        await open_sqlite(tmp_path / "directory")


async def test_while_the_file_is_locked_writes_are_refused_and_reads_work(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    store = await open_sqlite(path, busy_timeout=0.05)
    created = await store.create(document())
    await store.put_record(Record(bucket="b", name="r", value=b""))
    intruder = sqlite3.connect(path, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    for write in (store.create(document(key=Key(kind="K", name="b"))), store.take_record("b", "r")):
        with pytest.raises(StoreUnavailable, match="locked"):
            await write
    assert await store.read(KEY) == created
    assert await store.read_record("b", "r") is not None
    assert await store.revision() == 1
    intruder.execute("ROLLBACK")
    intruder.close()
    assert (await store.create(document(key=Key(kind="K", name="b")))).revision == 2
    await store.close()


async def test_while_the_disk_is_full_writes_are_refused_and_reads_work(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "weft.db")
    created = await store.create(document())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))  # a write beyond fails, as on a full disk
    try:
        with pytest.raises(StoreUnavailable):
            await store.create(document(b"x" * 1_000_000, Key(kind="K", name="big")))
        assert await store.read(KEY) == created
        assert await store.revision() == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (await store.create(document(key=Key(kind="K", name="b")))).revision == 2
    await store.close()


async def test_a_write_that_is_our_own_fault_is_told_and_the_next_one_works(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "weft.db")
    with pytest.raises(UnicodeDecodeError):
        await store.create(document(b"\xff is no text"))
    assert (await store.create(document())).revision == 1
    await store.close()


async def test_a_conflict_does_not_spoil_the_writes_that_are_committed_with_it(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "weft.db")
    keys = [KEY, Key(kind="K", name="b"), KEY, Key(kind="K", name="c")]
    results = await asyncio.gather(*(store.create(document(key=key)) for key in keys), return_exceptions=True)
    assert [type(result) for result in results] == [Document, Document, Conflict, Document]
    assert [change.key for change in (await store.snapshot()).documents] == [keys[0], keys[1], keys[3]]
    await store.close()


@pytest.mark.live
@pytest.mark.timeout(240)
async def test_a_hundred_kills_lose_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "weft.db"
    acknowledged: set[str] = set()
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    for number in range(100):
        acknowledged |= _write_and_kill(path, environment, random.Random(number).uniform(0.0, 0.03))
    store = await open_sqlite(path)
    snapshot = await store.snapshot()
    await store.close()
    stored = {found.key.name for found in snapshot.documents}
    assert len(acknowledged) > 100
    assert acknowledged <= stored
    assert snapshot.revision == len(stored)


def _write_and_kill(path: Path, environment: dict[str, str], delay: float) -> set[str]:
    script = Path(__file__).with_name("writer_process.py")
    process = subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(delay)  # the moment of the kill, not a wait for something
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    *complete, _ = (first + rest).decode().split("\n")
    return set(complete)
