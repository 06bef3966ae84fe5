"""The audit's two logs as one: decisions of proxies cannot push out what people did, and both are verified."""

import asyncio
import json
from pathlib import Path

import pytest

from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.observe import audit
from weft.observe.audit import files
from weft.observe.audit_logs import AuditLogs
from weft.store.memory import MemoryStore

DEED = AuditEntry(verb="create", who="jane", outcome=Outcome.ALLOWED)
DECISION = AuditEntry(verb="decision", who="spiffe://x", outcome=Outcome.DENIED, path="/" + "x" * 200)
pytestmark = pytest.mark.asyncio


async def test_decisions_fill_their_own_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LARGEST", 2_000)
    monkeypatch.setattr(audit, "KEPT", 3)
    logs = AuditLogs(tmp_path / "audit", FakeClock(), MemoryStore())
    logs.write(DEED)
    for _ in range(500):
        logs.write(DECISION)
    assert len(files(tmp_path / "audit" / "decisions")) == 3
    (kept,) = logs.newest_first(lambda entry: entry["verb"] == "create", 10)
    assert kept["who"] == "jane"
    assert (await logs.verify()).broken is None
    await logs.close()


async def test_both_are_asked_as_one_and_shipped_alike(tmp_path: Path) -> None:
    clock, shipped = FakeClock(), []
    logs = AuditLogs(tmp_path / "audit", clock, MemoryStore(), (shipped.append,))
    for entry in (DEED, DECISION, DEED, DECISION):
        logs.write(entry)
        clock.advance(1)
    assert [one["verb"] for one in logs.newest_first(lambda _: True, 3)] == ["decision", "create", "decision"]
    assert [json.loads(line)["verb"] for line in shipped] == ["create", "decision", "create", "decision"]
    await logs.close()


@pytest.mark.parametrize(("part", "named"), [("", ""), ("decisions", "decisions/")])
@pytest.mark.parametrize("cut", [True, False], ids=["cut off at the end", "altered"])
async def test_tampering_is_told_with_its_file(part: str, named: str, cut: bool, tmp_path: Path) -> None:
    clock, store = FakeClock(), MemoryStore()
    logs = AuditLogs(tmp_path / "audit", clock, store)
    for _ in range(3):
        logs.write(DEED)
        logs.write(DECISION)
    await logs.close()
    (file,) = files(tmp_path / "audit" / part)
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b'{"')] if cut else content.replace(b'"n":2', b'"n":9'))
    again = AuditLogs(tmp_path / "audit", clock, store)
    await again.resume()
    broken = (await again.verify()).broken
    assert broken is not None
    assert broken.file == f"{named}{file.name}"
    await again.close()


async def test_the_ends_are_anchored_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_ANCHOR_SECONDS", 0.01)
    from weft.kit.tasks import tasks

    store = MemoryStore()
    logs = AuditLogs(tmp_path / "audit", FakeClock(), store)
    async with tasks() as group:
        logs.start(group)
        logs.write(DEED)
        logs.write(DECISION)
        async with asyncio.timeout(5):
            while len(await store.records("audit")) < 2:  # noqa: ASYNC110  the store tells nobody
                await asyncio.sleep(0.01)
    await logs.close()
