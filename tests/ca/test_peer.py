"""Who is at the other end: exactly one SPIFFE ID of Istio's shape, or nobody; and a listener that renews itself."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.ca.authority import Authority, open_authority
from weft.ca.listener import AgentListener
from weft.ca.names import control_plane
from weft.ca.peer import peer_of
from weft.kit.clock import FakeClock, SystemClock
from weft.kit.rates import Rates
from weft.kit.tasks import tasks

REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"


def names(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"subjectAltName": pairs}


def test_the_only_uri_is_the_identity() -> None:
    assert str(peer_of(names(("DNS", "x"), ("URI", REVIEWS)))) == REVIEWS


@pytest.mark.parametrize(
    "certificate",
    [
        None,
        {},
        names(),
        names(("DNS", REVIEWS)),
        names(("URI", REVIEWS), ("URI", REVIEWS)),
        names(("URI", "spiffe://cluster.local")),
        names(("URI", "spiffe://cluster.local/ns/a/../sa/b")),
        names(("URI", "https://cluster.local/ns/shop/sa/reviews")),
    ],
)
def test_everything_else_is_nobody(certificate: Any) -> None:
    assert peer_of(certificate) is None


def test_a_caller_gets_a_burst_and_then_a_rate() -> None:
    clock = FakeClock()
    rates = Rates(clock, per_second=2.0, burst=3)
    assert [rates.allows("a") for _ in range(4)] == [True, True, True, False]
    assert rates.allows("b"), "others are not affected"
    clock.advance(0.5)
    assert [rates.allows("a") for _ in range(2)] == [True, False]
    clock.advance(3600)
    assert [rates.allows("a") for _ in range(4)] == [True, True, True, False]


def test_ten_thousand_callers_are_remembered_and_no_more() -> None:
    rates = Rates(FakeClock(), per_second=1.0, burst=1)
    assert all(rates.allows(str(number)) for number in range(10_001))
    assert not rates.allows("10000")
    assert rates.allows("0"), "the one that was quiet longest is forgotten"


@pytest.mark.asyncio
async def test_new_connections_see_the_renewed_certificate(tmp_path: Path, free_port: Callable[[], int]) -> None:
    authority = open_authority(tmp_path, trust_domain="cluster.local", clock=SystemClock())
    listener = AgentListener(authority, ("mesh.example",), SystemClock())
    port = free_port()

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        return

    server = listener.server(nothing, "127.0.0.1", port)
    async with tasks() as group:
        running = group.start(server._serve(), "listener")
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        before = await _shown(port, authority)
        listener.renew()
        after = await _shown(port, authority)
        server.should_exit = True
        await running
    assert before["serialNumber"] != after["serialNumber"]
    for certificate in (before, after):
        assert ("URI", control_plane("cluster.local").uri) in certificate["subjectAltName"]
        assert ("DNS", "mesh.example") in certificate["subjectAltName"]


async def _shown(port: int, authority: Authority) -> dict[str, Any]:
    context = ssl.create_default_context(cadata=authority.bundle)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    certificate: dict[str, Any] = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    await writer.wait_closed()
    return certificate
