"""Weft as a signer for others: what Istio's own client makes of an answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.ca.chains import REVIEWS, Maker, csr, is_believed, write_cacerts
from tests.ca.fake_signer import METHOD, REQUEST, RESPONSE
from weft.ca.istio_server import CertificateHandler
from weft.ca.ledger import Ledger
from weft.ca.plugged import Plugged
from weft.kit.clock import FakeClock
from weft.store.memory import MemoryStore

NOW = 1_700_000_000.0
pytestmark = pytest.mark.asyncio


class World:
    """A signer with two roots, as while one replaces the other, and the channel of a workload."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock(NOW)
        self.roots = Maker("first"), Maker("second")
        signer = Maker("intermediate", self.roots[0])
        self.signer = Plugged(write_cacerts(directory, signer, self.roots), "cluster.local", self.clock, 3600.0)
        ledger = Ledger(MemoryStore(self.clock), self.clock, keep=3600.0)
        self.handler = CertificateHandler(self.signer, lambda _: REVIEWS, ledger, self.clock)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    yield World(tmp_path / "cacerts")


async def test_all_roots_are_in_the_last_element_which_istios_client_takes_for_what_to_believe(world: World) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((world.handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(METHOD, REQUEST.SerializeToString, RESPONSE.FromString)
        *chain, believed = (await ask(REQUEST(csr=csr().decode()), timeout=10)).cert_chain
    await server.stop(None)
    assert believed == "".join(root.pem for root in world.roots)
    assert len(chain) == 2
    assert is_believed("".join(chain), believed, NOW)
