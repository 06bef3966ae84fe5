"""What every store does."""

import asyncio
from contextlib import aclosing

import pytest

from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.store.source import Change, ChangeKind, Compacted, Conflict, Record, Store, StoreUnavailable

pytestmark = pytest.mark.asyncio


def document(name: str = "reviews", content: bytes = b'{"spec":{}}', **more: object) -> Document:
    key = Key(group="networking.istio.io", kind="VirtualService", namespace="shop", name=name)
    return Document(key=key, content=content, created="2026-01-01T00:00:00Z", uid=f"uid-{name}", **more)  # type: ignore[arg-type]


async def read_changes(store: Store, since: int, count: int) -> list[Change]:
    found: list[Change] = []
    if not count:
        return found
    async with aclosing(store.changes(since)) as changes:  # type: ignore[type-var]
        async for change in changes:
            found.append(change)
            if len(found) == count:
                break
    return found


async def test_a_new_store_is_empty_and_at_revision_0(store: Store) -> None:
    assert await store.revision() == 0
    snapshot = await store.snapshot()
    assert (snapshot.revision, snapshot.documents) == (0, ())


async def test_a_created_document_can_be_read_with_its_revision(store: Store) -> None:
    created = await store.create(document(labels=(("app", "reviews"),)))
    assert created.revision == 1
    assert await store.read(created.key) == created
    assert created == document(labels=(("app", "reviews"),), revision=1)
    assert (await store.snapshot()).documents == (created,)


async def test_an_unknown_document_reads_as_none(store: Store) -> None:
    assert await store.read(document().key) is None


async def test_creating_twice_conflicts_and_changes_nothing(store: Store) -> None:
    first = await store.create(document())
    with pytest.raises(Conflict) as raised:
        await store.create(document(content=b'{"spec":{"other":1}}'))
    assert raised.value.current == first
    assert await store.read(first.key) == first
    assert await store.revision() == 1


async def test_keys_that_differ_in_one_part_are_different_documents(store: Store) -> None:
    keys = [
        Key(group=group, kind=kind, namespace=namespace, name="x")
        for group in ("", "a")
        for kind in ("K", "L")
        for namespace in ("", "n")
    ]
    for key in keys:
        await store.create(Document(key=key, content=b"{}"))
    assert {found.key for found in (await store.snapshot()).documents} == set(keys)


async def test_a_replacement_needs_the_revision_that_is_stored(store: Store) -> None:
    created = await store.create(document())
    replaced = await store.replace(document(content=b"{}"), expected=created.revision)
    assert replaced.revision == 2
    with pytest.raises(Conflict) as raised:
        await store.replace(document(content=b'{"a":1}'), expected=created.revision)
    assert raised.value.current == replaced
    assert await store.read(created.key) == replaced


async def test_a_replacement_without_an_expected_revision_overwrites(store: Store) -> None:
    await store.create(document())
    assert (await store.replace(document(content=b"{}"), expected=None)).content == b"{}"


async def test_a_replacement_of_nothing_conflicts(store: Store) -> None:
    with pytest.raises(Conflict) as raised:
        await store.replace(document(), expected=None)
    assert raised.value.current is None


async def test_the_same_content_again_is_no_write(store: Store) -> None:
    created = await store.create(document())
    assert await store.replace(document(), expected=1) == created
    assert await store.revision() == 1


async def test_changed_labels_are_a_write(store: Store) -> None:
    await store.create(document())
    assert (await store.replace(document(labels=(("a", "b"),)), expected=1)).revision == 2


async def test_a_deletion_returns_the_last_content_at_its_own_revision(store: Store) -> None:
    created = await store.create(document())
    deleted = await store.delete(created.key, expected=1)
    assert (deleted.revision, deleted.content) == (2, created.content)
    assert await store.read(created.key) is None
    assert (await store.snapshot()).revision == 2


@pytest.mark.parametrize("expected", [None, 1])
async def test_a_deletion_of_nothing_conflicts(store: Store, expected: int | None) -> None:
    with pytest.raises(Conflict):
        await store.delete(document().key, expected)


async def test_a_deletion_at_another_revision_conflicts(store: Store) -> None:
    created = await store.create(document())
    with pytest.raises(Conflict):
        await store.delete(created.key, expected=7)
    assert await store.read(created.key) == created


async def test_a_document_can_be_created_again_after_its_deletion(store: Store) -> None:
    created = await store.create(document())
    await store.delete(created.key, None)
    assert (await store.create(document())).revision == 3


async def test_changes_tell_what_was_before(store: Store) -> None:
    first = await store.create(document())
    second = await store.replace(document(content=b"{}"), expected=1)
    third = await store.delete(first.key, None)
    assert await read_changes(store, 0, 3) == [
        Change(kind=ChangeKind.ADDED, document=first),
        Change(kind=ChangeKind.MODIFIED, document=second, previous=first),
        Change(kind=ChangeKind.DELETED, document=third, previous=second),
    ]
    assert [change.document.revision for change in await read_changes(store, 1, 2)] == [2, 3]


async def test_a_watcher_that_waits_is_told_of_each_new_change(store: Store) -> None:
    watching = asyncio.create_task(read_changes(store, 0, 3))
    await asyncio.sleep(0)
    assert not watching.done()
    for name in ("a", "b", "c"):
        await store.create(document(name))
    names = [change.document.key.name for change in await asyncio.wait_for(watching, 5)]
    assert names == ["a", "b", "c"]


async def test_many_watchers_see_the_same_changes(store: Store) -> None:
    for number in range(5):
        await store.create(document(f"d{number}"))
    watching = [asyncio.create_task(read_changes(store, since, 20 - since)) for since in range(6)]
    for number in range(5, 20):
        await store.create(document(f"d{number}"))
    for since, changes in enumerate(await asyncio.wait_for(asyncio.gather(*watching), 5)):
        assert [change.document.revision for change in changes] == list(range(since + 1, 21))


async def test_a_revision_of_the_future_is_compacted(store: Store) -> None:
    with pytest.raises(Compacted):
        await read_changes(store, 5, 1)


async def test_the_last_ten_thousand_changes_are_kept_and_much_older_ones_are_not(store: Store) -> None:
    await store.create(document())
    for start in range(2, 12_502, 500):
        writes = (store.replace(document(content=b"%d" % n), None) for n in range(start, start + 500))
        await asyncio.gather(*writes)
    newest = await store.revision()
    assert newest == 12_501
    kept = await read_changes(store, newest - 10_000, 10_000)
    assert [change.document.revision for change in kept] == list(range(newest - 9_999, newest + 1))
    with pytest.raises(Compacted):
        await read_changes(store, 0, 1)


async def test_of_many_writers_at_one_revision_one_wins(store: Store) -> None:
    await store.create(document())
    writes = (store.replace(document(content=b"%d" % number), expected=1) for number in range(20))
    results = await asyncio.gather(*writes, return_exceptions=True)
    winners = [result for result in results if isinstance(result, Document)]
    assert len(winners) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19
    assert await store.read(document().key) == winners[0]


async def test_a_written_document_is_read_back_at_once(store: Store) -> None:
    async def write(number: int) -> None:
        created = await store.create(document(f"d{number}"))
        assert await store.read(created.key) == created
        assert created in (await store.snapshot()).documents

    await asyncio.gather(*(write(number) for number in range(50)))


async def test_a_write_whose_caller_gave_up_is_seen_by_others(store: Store) -> None:
    impatient = asyncio.create_task(store.create(document("impatient")))
    await asyncio.sleep(0)
    impatient.cancel()
    await store.create(document("next"))
    revisions = [change.document.revision for change in await read_changes(store, 0, await store.revision())]
    assert revisions == list(range(1, await store.revision() + 1))
    assert len((await store.snapshot()).documents) == len(revisions)


async def test_a_record_is_written_overwritten_and_read(store: Store) -> None:
    await store.put_record(Record(bucket="tokens", name="a", value=b"1"))
    await store.put_record(Record(bucket="tokens", name="a", value=b"2"))
    assert await store.read_record("tokens", "a") == Record(bucket="tokens", name="a", value=b"2")
    assert await store.read_record("tokens", "b") is None
    assert await store.read_record("leases", "a") is None


async def test_records_of_a_bucket_come_by_name(store: Store) -> None:
    for bucket, name in (("t", "b"), ("t", "a"), ("u", "c")):
        await store.put_record(Record(bucket=bucket, name=name, value=b""))
    assert [record.name for record in await store.records("t")] == ["a", "b"]


async def test_an_expired_record_does_not_exist(store: Store, clock: FakeClock) -> None:
    await store.put_record(Record(bucket="t", name="a", value=b"", expires=clock.now() + 10))
    assert await store.read_record("t", "a") is not None
    clock.advance(10)
    assert await store.read_record("t", "a") is None
    assert await store.records("t") == ()
    assert await store.take_record("t", "a") is None


async def test_of_many_takers_exactly_one_gets_the_record(store: Store) -> None:
    await store.put_record(Record(bucket="t", name="a", value=b"secret"))
    taken = await asyncio.gather(*(store.take_record("t", "a") for _ in range(20)))
    assert [record.value for record in taken if record] == [b"secret"]
    assert await store.read_record("t", "a") is None


async def test_records_are_no_documents(store: Store) -> None:
    await store.put_record(Record(bucket="t", name="a", value=b""))
    assert await store.revision() == 0
    assert (await store.snapshot()).documents == ()


async def test_a_closed_store_refuses_writes(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.create(document())
    with pytest.raises(StoreUnavailable):
        await store.put_record(Record(bucket="t", name="a", value=b""))
