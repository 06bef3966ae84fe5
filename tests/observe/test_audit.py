"""The audit log: what is appended stays as it was, or verification says where it did not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.observe import audit
from weft.observe.audit import AuditLog, Ship, files
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
ENTRY = AuditEntry(verb="create", who="jane", resource="services", namespace="shop", name="a", outcome=Outcome.ALLOWED)


class Logs:
    """Opens the log of a directory again and again, and closes what was opened."""

    def __init__(self, directory: Path, clock: FakeClock, store: MemoryStore) -> None:
        self.directory = directory
        self._clock = clock
        self._store = store
        self._opened: list[AuditLog] = []

    @property
    def file(self) -> Path:
        (file,) = files(self.directory)
        return file

    async def opened(self, *ships: Ship) -> AuditLog:
        self.close()
        log = AuditLog(self.directory, self._clock, self._store, ships)
        self._opened.append(log)
        await log.resume()
        return log

    async def written(self, lines: int = 5, *ships: Ship) -> AuditLog:
        log = await self.opened(*ships)
        for _ in range(lines):
            log.write(ENTRY)
            self._clock.advance(1)
        await log.anchor()
        return log

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    clock = FakeClock()
    logs = Logs(tmp_path / "audit", clock, MemoryStore(clock))
    yield logs
    logs.close()


async def test_lines_are_json_with_who_what_when_and_a_chain(logs: Logs) -> None:
    log = await logs.written(2)
    file = logs.file
    assert file.stat().st_mode & 0o777 == 0o600
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["n"], first["who"], first["verb"], first["outcome"]) == (1, "jane", "create", "allowed")
    assert first["time"].endswith("Z")
    assert "detail" not in first, "what there is nothing to say of is left out"
    assert (second["n"], second["previous"]) == (2, first["hash"])
    assert (await log.verify()).broken is None


async def test_a_log_goes_on_after_a_restart(logs: Logs) -> None:
    await logs.written(3)
    log = await logs.written(2)
    verdict = await log.verify()
    assert (verdict.lines, verdict.files, verdict.broken) == (5, 1, None)


async def test_a_line_that_a_crash_cut_off_is_ended_and_the_rest_is_whole(logs: Logs) -> None:
    await logs.written(3)
    file = logs.file
    with file.open("ab") as torn:
        torn.write(b'{"n":4,"ti')
    log = await logs.written(1)
    assert (await log.verify()).broken is None


def _alter(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"jane", b"jack"), *lines[3:]]


def _rehash(lines: list[bytes]) -> list[bytes]:
    """An altered line with a hash that fits: the next one tells."""
    content = json.loads(lines[2].replace(b"jane", b"jack"))
    previous = content.pop("previous")
    del content["hash"]
    line, _ = audit.chained(content, previous)
    return [*lines[:2], line.rstrip(b"\n"), *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (_alter, 3),
        (_rehash, 4),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: lines[:-1], 4),
        (lambda lines: [*lines[:1], b"not json", *lines[1:]], 2),
        (lambda _: [], 0),
    ],
    ids=["altered", "altered and hashed", "removed", "first removed", "doubled", "last removed", "no line", "emptied"],
)
async def test_every_way_to_tamper_is_found(
    tamper: Callable[[list[bytes]], list[bytes]], line: int, logs: Logs
) -> None:
    log = await logs.written()
    file = logs.file
    lines = tamper(file.read_bytes().splitlines())
    file.write_bytes(b"".join(one + b"\n" for one in lines))
    broken = (await log.verify()).broken
    assert broken is not None
    assert broken.line == line


async def test_what_went_missing_before_a_restart_stays_missing_visibly(logs: Logs) -> None:
    await logs.written()
    file = logs.file
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    log = await logs.written()
    broken = (await log.verify()).broken
    assert broken is not None
    assert broken.line == 3


async def test_files_are_turned_and_the_oldest_go(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LARGEST", 1000)
    monkeypatch.setattr(audit, "KEPT", 3)
    log = await logs.written(60)
    present = files(logs.directory)
    assert len(present) == 3
    assert all(file.stat().st_size <= 1000 for file in present)
    verdict = await log.verify()
    assert verdict.broken is None
    assert verdict.lines < 60
    present[1].unlink()
    assert (await log.verify()).broken is not None


async def test_the_newest_entries_are_found_first(logs: Logs) -> None:
    log = await logs.written()
    assert [entry["n"] for entry in log.newest_first(lambda _: True, 2)] == [5, 4]
    assert [entry["n"] for entry in log.newest_first(lambda entry: entry["n"] < 3, 9)] == [2, 1]


async def test_every_line_is_shipped_as_it_is_written(logs: Logs) -> None:
    shipped: list[bytes] = []
    await logs.written(3, shipped.append)
    assert b"".join(shipped) == logs.file.read_bytes()


async def test_a_disk_that_is_full_stops_nothing(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await logs.written(1)

    def full() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "LARGEST", 0)
        patched.setattr(log, "_turn", full)
        log.write(ENTRY)
    log.write(ENTRY)
    verdict = await log.verify()
    assert (verdict.lines, verdict.broken) == (2, None)
