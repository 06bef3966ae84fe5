"""The stores that the contract suite runs against: a new store is one more parameter."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from weft.kit.clock import FakeClock
from weft.kit.sealing import Keyring, SealingKey
from weft.store.addressed import addressed
from weft.store.memory import MemoryStore
from weft.store.sealed import SealedStore, Sealer
from weft.store.source import Store
from weft.store.sqlite import open_sqlite


async def _memory(_: Path, clock: FakeClock) -> Store:
    return MemoryStore(clock)


async def _sqlite(directory: Path, clock: FakeClock) -> Store:
    return await open_sqlite(directory / "weft.db", clock)


async def _sealed(directory: Path, clock: FakeClock) -> Store:
    """With every document sealed, so that the suite's own kinds are."""
    ring = Keyring((SealingKey(b"k" * 32),))
    return SealedStore(await open_sqlite(directory / "weft.db", clock), Sealer(ring, lambda _: True))


async def _addressed(_: Path, clock: FakeClock) -> Store:
    return await addressed(MemoryStore(clock), lambda _document, content: content)


STORES: dict[str, Callable[[Path, FakeClock], Awaitable[Store]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sealed": _sealed,
    "addressed": _addressed,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await STORES[request.param](tmp_path, clock)
    yield opened
    await opened.close()
