"""What the mesh found becomes a document's status, never its specification, and only when it is news."""

import json
from typing import Any

import pytest

from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity
from weft.store.source import ChangeKind, Report, Store, StoreUnavailable

pytestmark = [
    pytest.mark.asyncio,
    # What is sealed is a Secret, which has no status.
    pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True),
]

KEY = Key(group="networking.istio.io", kind="VirtualService", namespace="shop", name="reviews")
UNKNOWN_HOST = Finding(
    code="W0201",
    message="nothing is called ratings",
    severity=Severity.WARNING,
    path=("spec", "http", 0),
    help="create it",
)
BROKEN = Finding(code="W0150", message="weft failed")
START = "2023-11-14T22:13:20Z"


def document(key: Key = KEY, **more: Any) -> Document:
    content = {"metadata": {"name": key.name, "generation": 3}, "spec": {"hosts": ["a"]}} | more
    return Document(key=key, content=json.dumps(content).encode(), uid="u", labels=(("app", "reviews"),))


async def content(store: Store, key: Key = KEY) -> dict[str, Any]:
    found = await store.read(key)
    assert found is not None
    decoded: dict[str, Any] = json.loads(found.content)
    return decoded


async def condition(store: Store, key: Key = KEY) -> dict[str, Any]:
    conditions = (await content(store, key))["status"]["conditions"]
    (found,) = [one for one in conditions if isinstance(one, dict) and one.get("type") == "Accepted"]
    return found


def about(*findings: Finding, key: Key = KEY) -> tuple[Report, ...]:
    return (Report(key=key, findings=findings),)


async def test_a_doubtful_document_is_told_why(store: Store) -> None:
    await store.create(document())
    await store.report(about(UNKNOWN_HOST))
    assert await condition(store) == {
        "type": "Accepted",
        "status": "Unknown",
        "reason": "W0201",
        "message": "[W0201] spec.http[0]: nothing is called ratings (help: create it)",
        "lastTransitionTime": START,
        "observedGeneration": 3,
    }


async def test_a_broken_document_is_not_accepted_and_the_worst_is_the_reason(store: Store) -> None:
    await store.create(document())
    await store.report(about(UNKNOWN_HOST, BROKEN))
    found = await condition(store)
    assert (found["status"], found["reason"]) == ("False", "W0150")
    assert "W0201" in found["message"]


async def test_a_report_changes_the_status_alone_and_is_one_revision(store: Store) -> None:
    created = await store.create(document(status={"other": 1, "conditions": [{"type": "Healthy", "status": "True"}]}))
    await store.report(about(UNKNOWN_HOST))
    now = await store.read(KEY)
    assert now is not None
    assert (now.revision, await store.revision()) == (2, 2)
    assert (now.labels, now.uid, now.created) == (created.labels, created.uid, created.created)
    before, after = json.loads(created.content), json.loads(now.content)
    assert {key: after[key] for key in ("metadata", "spec")} == {key: before[key] for key in ("metadata", "spec")}
    assert after["status"]["other"] == 1
    assert after["status"]["conditions"][0] == {"type": "Healthy", "status": "True"}


async def test_a_report_is_told_to_watches(store: Store) -> None:
    created = await store.create(document())
    await store.report(about(UNKNOWN_HOST))
    change = await anext(store.changes(1))
    assert (change.kind, change.document.revision, change.previous) == (ChangeKind.MODIFIED, 2, created)


async def test_what_is_said_already_is_not_written(store: Store) -> None:
    await store.create(document())
    for _ in range(3):
        await store.report(about(UNKNOWN_HOST))
    assert await store.revision() == 2


async def test_a_document_without_findings_is_not_written(store: Store) -> None:
    await store.create(document())
    note = Finding(code="W0128", message="has no effect", severity=Severity.NOTE)
    await store.report((*about(), *about(note)))
    assert await store.revision() == 1


async def test_a_document_that_lost_its_findings_is_accepted(store: Store, clock: FakeClock) -> None:
    await store.create(document())
    await store.report(about(UNKNOWN_HOST))
    clock.advance(60)
    await store.report(about())
    found = await condition(store)
    assert (found["status"], found["reason"], found["message"]) == ("True", "Accepted", "")
    assert found["lastTransitionTime"] == "2023-11-14T22:14:20Z"


async def test_the_time_is_that_of_the_last_change_of_the_status(store: Store, clock: FakeClock) -> None:
    await store.create(document())
    await store.report(about(UNKNOWN_HOST))
    clock.advance(60)
    other = Finding(code="W0202", message="no such subset", severity=Severity.WARNING)
    await store.report(about(other))
    found = await condition(store)
    assert (found["reason"], found["lastTransitionTime"]) == ("W0202", START)


async def test_a_document_that_is_gone_is_passed_over(store: Store) -> None:
    await store.create(document())
    await store.report((*about(BROKEN, key=Key(kind="Service", name="gone")), *about(UNKNOWN_HOST)))
    assert (await condition(store))["reason"] == "W0201"
    assert await store.revision() == 2


async def test_several_documents_get_a_revision_each_in_order(store: Store) -> None:
    keys = [Key(kind="Service", namespace="shop", name=f"s{number}") for number in range(3)]
    for key in keys:
        await store.create(document(key))
    await store.report(tuple(Report(key=key, findings=(BROKEN,)) for key in keys))
    assert [found.revision for key in keys if (found := await store.read(key))] == [4, 5, 6]


async def test_a_report_about_nothing_is_none(store: Store) -> None:
    await store.report(())
    assert await store.revision() == 0


@pytest.mark.parametrize("odd", [{"status": 5}, {"status": {"conditions": "x"}}, {"status": {"conditions": [1, {}]}}])
async def test_a_status_that_makes_no_sense_is_mended(store: Store, odd: dict[str, Any]) -> None:
    await store.create(document(**odd))
    await store.report(about(BROKEN))
    assert (await condition(store))["status"] == "False"


@pytest.mark.parametrize("odd", [b"no json", b"[]", b"{}", b'{"metadata":1}'])
async def test_a_document_that_is_no_object_is_left_alone(store: Store, odd: bytes) -> None:
    await store.create(Document(key=KEY, content=odd))
    await store.report(about(BROKEN))
    assert await store.revision() == 1


async def test_very_many_findings_are_summed_up(store: Store) -> None:
    await store.create(document())
    await store.report(about(*(Finding(code="W0101", message=f"field {number}") for number in range(1_000))))
    message = (await condition(store))["message"]
    assert message.endswith("and 980 more")
    assert len(message) < 8_200


async def test_a_closed_store_takes_no_report(store: Store) -> None:
    await store.create(document())
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.report(about(BROKEN))
