"""A workload that goes is told when all callers use endpoints without it."""

import asyncio

import pytest

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from weft.compiler.resource import CLUSTER, ENDPOINTS, Resources, resource
from weft.duties.farewells import Farewells
from weft.kit.clock import SystemClock
from weft.model.identity import Identity
from weft.xds.fleet import Connection, Fleet
from weft.xds.introduction import Introduction
from weft.xds.session import Session, Variant

pytestmark = pytest.mark.asyncio
NAME = "outbound|9080||reviews"


def endpoints(text: str) -> Resources:
    return Resources(resources=(resource(CLUSTER, NAME, b"c"), resource(ENDPOINTS, NAME, text.encode())))


class Proxy:
    """One that subscribes to the endpoints of a service, and acknowledges when a test says so."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        identity = Identity(trust_domain="cluster.local", namespace="shop", account="web")
        said = Introduction(identity=identity, node_id=name, metadata="")
        self.connection = Connection(said, Session(Variant.DELTA), 0.0)
        self.number = fleet.join(self.connection)
        self.reached = 0
        self.nonces: list[str] = []
        self.offer("one", 1)
        self._receive(type_url=ENDPOINTS, resource_names_subscribe=[NAME])
        self.acknowledge()

    def offer(self, text: str, revision: int) -> None:
        responses = self.connection.session.offer(endpoints(text), 0.0)
        self.nonces += [str(one.nonce) for one in responses]
        self.reached = revision

    def acknowledge(self) -> None:
        while self.nonces:
            self._receive(type_url=ENDPOINTS, response_nonce=self.nonces.pop(0))

    def _receive(self, **fields: object) -> None:
        request = DeltaDiscoveryRequest(**fields)
        responses = self.connection.session.receive(request.SerializeToString(), 0.0)
        self.nonces += [str(one.nonce) for one in responses]


class Scene:
    """A control plane with proxies; the newest document is of ``revision``."""

    def __init__(self, *names: str, settling: float = 0.0) -> None:
        self.fleet = Fleet()
        self.revision = 1
        self.proxies = [Proxy(self.fleet, name) for name in names]
        self.farewells = Farewells(self.fleet, self._reached, self._newest, SystemClock(), settling)

    async def told(self, seconds: float = 0.1) -> bool:
        async with asyncio.timeout(10):
            return await self.farewells.told(seconds)

    def _reached(self, introduction: Introduction) -> int:
        return next(one.reached for one in self.proxies if one.connection.introduction is introduction)

    async def _newest(self) -> int:
        return self.revision


async def test_all_know_when_each_has_acknowledged() -> None:
    scene = Scene("a", "b")
    first, second = scene.proxies
    assert await scene.told()
    scene.revision = 2
    assert not await scene.told()
    first.offer("two", 2)
    second.offer("two", 2)
    first.acknowledge()
    assert not await scene.told()
    second.acknowledge()
    assert await scene.told()


async def test_who_has_nothing_to_learn_knows_when_it_was_looked_at() -> None:
    scene = Scene("a")
    scene.revision = 2
    assert not await scene.told()
    scene.proxies[0].offer("one", 2)
    assert await scene.told()


async def test_later_changes_do_not_hold_up_who_knew() -> None:
    """While everything is restarted there is always somebody who has something newer to acknowledge."""
    scene = Scene("a", "b")
    first, second = scene.proxies
    scene.revision = 2
    asking = asyncio.ensure_future(scene.told(seconds=5))
    for proxy in scene.proxies:
        proxy.offer("two", 2)
    first.acknowledge()
    await asyncio.sleep(0.1)
    first.offer("three", 3)
    second.acknowledge()
    assert await asking


async def test_who_is_gone_need_not_know() -> None:
    scene = Scene("a")
    scene.revision = 2
    asking = asyncio.ensure_future(scene.told(seconds=5))
    await asyncio.sleep(0.05)
    scene.fleet.leave(scene.proxies[0].number)
    assert await asking


async def test_right_after_a_start_nothing_is_claimed() -> None:
    """No proxy has come back yet, and they still call whom they knew."""
    assert not await Scene(settling=3600.0).told()
    assert await Scene(settling=0.3).told(seconds=5)
