"""Keys that are kept: asked for once, again when they are old, and never lost because an issuer is away."""

import asyncio

from weft.jwks.errors import Unfetched
from weft.jwks.keeper import KeyKeeper
from weft.kit.clock import FakeClock
from weft.model.authentication import KeySet, KeySource
from weft.store.memory import MemoryStore

ISSUER = KeySource(uri="https://idp.example.com/keys")


class World:
    """An issuer, and a keeper that asks it."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.answer: str | None = "first"
        self.asked = 0
        self.told: list[tuple[KeySet, ...]] = []
        self.wanted = {ISSUER: 2_000}
        self.clock = FakeClock()
        self.store = store or MemoryStore()
        self.keeper = KeyKeeper(
            wanted=lambda: self.wanted,
            found=self.told.append,
            fetch=self._fetch,
            records=self.store,
            clock=self.clock,
        )

    async def _fetch(self, source: KeySource, seconds: float) -> str:
        assert (source, seconds) == (ISSUER, 2.0)
        self.asked += 1
        if self.answer is None:
            raise Unfetched("away")
        return self.answer

    def look(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        asyncio.run(self.keeper.look())


def test_keys_are_asked_for_once_and_again_when_they_are_old() -> None:
    world = World()
    world.look()
    world.look(60)
    assert (world.asked, world.told) == (1, [(KeySet(source=ISSUER, jwks="first"),)])
    world.answer = "second"
    world.look(1200)
    assert (world.asked, world.told[-1][0].jwks) == (2, "second")


def test_the_last_good_keys_are_kept_while_an_issuer_is_away() -> None:
    world = World()
    world.look()
    world.answer = None
    world.look(1200)
    world.look(15)
    assert world.asked == 3
    assert [keys[0].jwks for keys in world.told] == ["first"]


def test_an_issuer_that_never_answered_has_no_keys_at_all() -> None:
    world = World()
    world.answer = None
    world.look()
    assert world.told == []


def test_what_was_known_is_known_after_a_start_while_the_issuer_is_away() -> None:
    before = World()
    before.look()
    after = World(before.store)
    after.answer = None
    asyncio.run(after.keeper.recall())
    assert after.told == [(KeySet(source=ISSUER, jwks="first"),)]


def test_an_issuer_that_nobody_names_is_not_asked() -> None:
    world = World()
    world.wanted = {}
    world.look()
    assert world.asked == 0
