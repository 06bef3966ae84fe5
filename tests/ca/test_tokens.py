"""Join tokens work once, for one identity, for a while."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from weft.ca.signer import SignerAway
from weft.ca.tokens import JoinTokens
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.store.memory import MemoryStore
from weft.store.source import Store
from weft.store.sqlite import open_sqlite

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    kept: Store = MemoryStore(clock) if request.param == "memory" else await open_sqlite(tmp_path / "db", clock=clock)
    yield kept
    await kept.close()


async def test_of_fifty_who_join_at_once_one_succeeds(store: Store, clock: FakeClock) -> None:
    tokens = JoinTokens(store, clock)
    token = await tokens.create("shop", "reviews", ttl=600)
    joined = await asyncio.gather(*(tokens.consume(token) for _ in range(50)))
    assert [identity.uri for identity in joined if identity] == ["spiffe://cluster.local/ns/shop/sa/reviews"]


async def test_a_token_ends_with_its_time(store: Store, clock: FakeClock) -> None:
    tokens = JoinTokens(store, clock)
    token = await tokens.create("shop", "reviews", ttl=600)
    clock.advance(601)
    assert await tokens.consume(token) is None


async def test_the_store_never_sees_the_token(store: Store, clock: FakeClock) -> None:
    token = await JoinTokens(store, clock).create("shop", "reviews")
    assert token.startswith("weft_join_")
    for record in await store.records("join-tokens"):
        assert token.removeprefix("weft_join_") not in record.name + record.value.decode()
        assert record.expires == clock.now() + 600


@pytest.mark.parametrize("token", ["", "weft_join_", "weft_join_" + "a" * 43, "x" * 100_000, "weft_join_é"])
async def test_what_is_no_token_joins_nobody(store: Store, clock: FakeClock, token: str) -> None:
    assert await JoinTokens(store, clock).consume(token) is None


@pytest.mark.parametrize(
    ("namespace", "account"), [("weft-system", "control-plane"), ("a/b", "x"), ("", "x"), ("shop", "..")]
)
async def test_nobody_joins_as_the_control_plane_or_as_nobody(
    store: Store, clock: FakeClock, namespace: str, account: str
) -> None:
    with pytest.raises(UserError):
        await JoinTokens(store, clock).create(namespace, account)


async def test_tokens_that_wait_are_listed_without_what_makes_them_work(store: Store, clock: FakeClock) -> None:
    tokens = JoinTokens(store, clock)
    first = await tokens.create("shop", "reviews", ttl=600)
    await tokens.create("web", "front", ttl=60)
    waiting = {(one.namespace, one.account): one for one in await tokens.waiting()}
    assert waiting.keys() == {("shop", "reviews"), ("web", "front")}
    assert waiting["shop", "reviews"].expires == clock.now() + 600
    assert waiting["shop", "reviews"].id not in first
    await tokens.consume(first)
    clock.advance(61)
    assert await tokens.waiting() == ()


async def test_a_revoked_token_joins_nobody_and_leaves_the_others(store: Store, clock: FakeClock) -> None:
    tokens = JoinTokens(store, clock)
    lost, kept = await tokens.create("shop", "lost"), await tokens.create("shop", "kept")
    (token_id,) = [one.id for one in await tokens.waiting() if one.account == "lost"]
    assert await tokens.revoke(token_id)
    assert not await tokens.revoke(token_id)
    assert await tokens.consume(lost) is None
    assert await tokens.consume(kept) is not None


@pytest.mark.parametrize("part", [0, 1, 11])
async def test_a_part_of_an_id_revokes_nothing(store: Store, clock: FakeClock, part: int) -> None:
    tokens = JoinTokens(store, clock)
    await tokens.create("shop", "reviews")
    (waiting,) = await tokens.waiting()
    assert not await tokens.revoke(waiting.id[:part])
    assert await tokens.waiting() == (waiting,)


async def away(tokens: JoinTokens, token: str) -> None:
    """Use a token for something that cannot be done."""
    async with tokens.used(token, "10.0.0.1") as identity:
        assert identity is not None
        assert await tokens.consume(token, "10.0.0.1") is None
        raise SignerAway("the vault is sealed")


async def test_a_token_is_good_again_when_nothing_could_be_signed_and_not_for_longer(
    store: Store, clock: FakeClock
) -> None:
    tokens = JoinTokens(store, clock)
    token = await tokens.create("shop", "reviews", 60, "10.0.0.0/8")
    waiting = await tokens.waiting()
    for _ in range(2):
        with pytest.raises(SignerAway):
            await away(tokens, token)
    assert await tokens.waiting() == waiting
    clock.advance(61)
    assert await tokens.consume(token, "10.0.0.1") is None
