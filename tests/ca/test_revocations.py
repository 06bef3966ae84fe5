"""Certificates are known by lines of renewals; what is revoked stays so, over restarts and for other replicas."""

import pytest

from weft.ca.ledger import Ledger, digest_of
from weft.ca.revocations import Revocations
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.model.identity import Identity
from weft.model.revocation import Revoked
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
OTHER = Identity(trust_domain="cluster.local", namespace="shop", account="other")
HOUR = 3600.0


class Rig:
    def __init__(self, store: MemoryStore, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.told: list[Revoked] = []
        self.ledger = Ledger(store, clock, keep=HOUR)
        self.revocations = Revocations(store, self.ledger, clock, self.told.append)

    async def issue(self, digest: str, name: str, shown: str = "", identity: Identity = WEB) -> None:
        await self.ledger.issued(digest, self.clock.now() + HOUR, identity, name, shown)


@pytest.fixture
def rig(clock: FakeClock) -> Rig:
    return Rig(MemoryStore(clock), clock)


async def test_a_workload_is_revoked_with_all_certificates_of_its_line_and_no_other(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    await rig.issue("a2", "web-1", shown="a1")
    await rig.issue("b1", "web-2")
    await rig.revocations.revoke_workload("shop", "web-1", by="jane")
    assert [rig.revocations.bars(WEB, digest) for digest in ("a1", "a2", "b1", "unknown")] == [True, True, False, False]
    assert rig.told[-1] == Revoked(certificates=("a1", "a2"))


async def test_a_workload_that_joins_again_begins_another_line(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    await rig.revocations.revoke_workload("shop", "web-1", by="jane")
    await rig.issue("a2", "web-1")
    assert not rig.revocations.bars(WEB, "a2")


async def test_an_account_is_revoked_whatever_it_shows(rig: Rig) -> None:
    entry = await rig.revocations.revoke_account("shop", "web", by="jane", reason="gone")
    assert await rig.revocations.revoke_account("shop", "web", by="bob") == entry, "once is enough"
    assert rig.revocations.bars(WEB, "never seen")
    assert not rig.revocations.bars(OTHER, "never seen")


async def test_a_name_that_nobody_has_or_of_another_namespace_is_a_mistake(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    for namespace, name in (("shop", "web-2"), ("bank", "web-1")):
        with pytest.raises(UserError, match="has a certificate"):
            await rig.revocations.revoke_workload(namespace, name, by="jane")


async def test_another_replica_and_the_next_start_know_it(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    await rig.revocations.revoke_workload("shop", "web-1", by="jane")
    entry = await rig.revocations.revoke_account("shop", "other", by="jane")
    replica = Rig(rig.store, rig.clock)
    await replica.revocations.load()
    assert replica.revocations.bars(WEB, "a1")
    assert replica.revocations.bars(OTHER, "")
    await rig.revocations.undo(entry.id)
    await replica.revocations.load()
    assert not replica.revocations.bars(OTHER, "")
    assert await rig.revocations.undo(entry.id) is None


async def test_sidecars_are_told_once_and_not_again_when_a_certificate_has_ended(rig: Rig) -> None:
    """What they are told closes connections."""
    await rig.issue("a1", "web-1")
    await rig.revocations.load()
    await rig.revocations.revoke_workload("shop", "web-1", by="jane")
    count = len(rig.told)
    rig.clock.advance(3 * HOUR)
    await rig.revocations.load()
    assert len(rig.told) == count
    assert rig.revocations.bars(WEB, "a1")


async def test_certificates_that_ended_leave_the_list_of_holders(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    assert [line.name for line in rig.ledger.lines()] == ["web-1"]
    rig.clock.advance(1.5 * HOUR)
    assert rig.ledger.lines() == ()
    assert rig.ledger.line_of("a1") is not None, "it may still be shown by one who was away"
    rig.clock.advance(HOUR)
    await rig.ledger.load()
    assert rig.ledger.line_of("a1") is None


async def test_a_certificate_of_before_the_ledger_gets_its_name_when_it_is_heard_of(rig: Rig) -> None:
    await rig.ledger.named("old", rig.clock.now() + HOUR, WEB, "web-9")
    await rig.revocations.revoke_workload("shop", "web-9", by="jane")
    assert rig.revocations.bars(WEB, "old")


async def test_no_certificate_has_no_digest() -> None:
    assert digest_of("nothing") == ""


async def test_a_certificate_that_was_being_signed_meanwhile_is_revoked_with_its_line(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    await rig.revocations.revoke_workload("shop", "web-1", by="jane")
    await rig.issue("a2", "web-1", shown="a1")
    await rig.revocations.look()
    assert rig.revocations.bars(WEB, "a2")
    assert rig.told[-1].certificates == ("a1", "a2")


async def test_what_another_replica_revoked_is_known_soon(rig: Rig) -> None:
    await rig.issue("a1", "web-1")
    replica = Rig(rig.store, rig.clock)
    await replica.revocations.load()
    await rig.issue("b1", "web-2")
    await rig.revocations.revoke_workload("shop", "web-2", by="jane")
    await replica.revocations.look()
    assert replica.revocations.bars(WEB, "b1"), "its ledger did not know the certificate"
