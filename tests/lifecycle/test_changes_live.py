"""How soon callers do as they are told: workloads that go are called no more, and weights hold."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path

import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from tests.dialects.documents import document
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.agent.config import AgentConfig, Probe, ProbeKind
from weft.agent.http import HttpClient
from weft.compiler.resource import ENDPOINTS, ROUTES, Resources
from weft.kit.tasks import tasks
from weft.model.document import Document

pytestmark = [pytest.mark.asyncio]
PROMISED = 0.5
CALLER = 'import os, signal, sys; print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True); signal.pause()'
TELLING = """
import http.server, os, time
arrivals = open({file!r}, "ab", buffering=0)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/":
            arrivals.write(b"%f\\n" % time.time())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


def _seen(mesh: Mesh) -> Resources:
    """What the caller's sidecar uses; nothing while it has something to acknowledge."""
    return mesh.fleet.settled("spiffe://cluster.local/ns/shop/sa/reviews", "caller-1.shop") or Resources()


def _addresses(mesh: Mesh) -> int:
    """How many endpoints of the service the caller's sidecar uses."""
    found = (one for one in _seen(mesh).resources if one.type_url == ENDPOINTS and "|9080||reviews.shop" in one.name)
    groups = chain.from_iterable(ClusterLoadAssignment.FromString(one.body).endpoints for one in found)
    return sum(len(group.lb_endpoints) for group in groups)


async def _caller(mesh: Mesh) -> AgentConfig:
    probe, command = Probe(kind=ProbeKind.NONE), (sys.executable, "-c", CALLER)
    return await mesh.config("caller-1", service="caller", ports=(), command=command, probe=probe)


@asynccontextmanager
async def _calling(agent: Agent) -> AsyncIterator[None]:
    """The service is called all the time, over several connections that are kept."""
    port = int(agent.said.partition("proxy http://127.0.0.1:")[2].split()[0])

    async def call() -> None:
        client = HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "reviews:9080", 10.0, keep=True)
        try:
            while True:
                assert (await client.request("GET", "http://reviews:9080/")).status == 200
                await asyncio.sleep(0.02)
        finally:
            client.close()

    async with tasks() as group:
        calls = [group.start(call(), "calls") for _ in range(4)]
        yield
        for one in calls:
            one.cancel()


async def _ends(mesh: Mesh, tmp_path: Path, count: int) -> list[float]:
    """Seconds from SIGTERM to the last call that a workload got, so often; none is answered badly meanwhile."""
    files = {name: tmp_path / f"{name}.arrivals" for name in ("reviews-1", "reviews-2")}
    stays, goes = [
        await mesh.config(name, command=(sys.executable, "-c", TELLING.format(file=str(file))), drain_seconds=20.0)
        for name, file in files.items()
    ]
    async with mesh.serving(), running(stays) as other, running(await _caller(mesh)) as caller:
        await other.says("is registered")
        await caller.says("proxy http://")
        await until(lambda: _addresses(mesh) == 1)
        async with _calling(caller):
            return sorted([await _end(mesh, goes, files["reviews-2"]) for _ in range(count)])


async def _end(mesh: Mesh, config: AgentConfig, arrivals: Path) -> float:
    async with running(config) as agent:
        await agent.says("is registered")
        await until(lambda: _addresses(mesh) == 2)
        before = _size(arrivals)
        await until(lambda: _size(arrivals) > before + 100)
        ended = time.time()
        agent.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.process.wait(), 40) == 0
    await until(lambda: _addresses(mesh) == 1)
    return max(_last(arrivals) - ended, 0.0)


def _size(arrivals: Path) -> int:
    return arrivals.stat().st_size


def _last(arrivals: Path) -> float:
    return float(arrivals.read_text().split()[-1])


@pytest.mark.live
@pytest.mark.timeout(180)
async def test_a_workload_that_ends_is_called_no_more_within_half_a_second(mesh: Mesh, tmp_path: Path) -> None:
    took = await _ends(mesh, tmp_path, 3)
    assert took[len(took) // 2] < PROMISED, took


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_two_hundred_workloads_that_end_are_called_no_more_within_half_a_second(
    mesh: Mesh, tmp_path: Path
) -> None:
    took = await _ends(mesh, tmp_path, 200)
    assert took[int(len(took) * 0.99) - 1] < PROMISED, _figures(took)


def _figures(took: list[float]) -> str:
    places = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}
    return ", ".join(f"{name} {took[int(len(took) * share) - 1]:.3f} s" for name, share in places.items())


def _split(weight: int) -> Document:
    """The service's calls by weight to two subsets that need not have endpoints."""
    shares = (("v1", weight), ("v2", 100 - weight))
    route = [{"destination": {"host": "reviews", "subset": name}, "weight": share} for name, share in shares]
    return document("VirtualService", {"hosts": ["reviews"], "http": [{"route": route}]}, "split")


def _share(mesh: Mesh) -> set[int]:
    """The first subset's weights in the routes that the caller's sidecar uses."""
    routes = (RouteConfiguration.FromString(one.body) for one in _seen(mesh).resources if one.type_url == ROUTES)
    hosts = chain.from_iterable(one.virtual_hosts for one in routes)
    clusters = (route.route.weighted_clusters.clusters for host in hosts for route in host.routes)
    return {one.weight.value for one in chain.from_iterable(clusters) if "|v1|" in one.name}


def _place(weight: int) -> Document:
    """An endpoint of the service that a user wrote down."""
    spec = {"address": "127.0.0.9", "labels": {"app": "reviews"}, "ports": {"http-9080": 9080}, "weight": weight}
    return document("WorkloadEntry", spec, "written")


def _weight(mesh: Mesh) -> set[int]:
    """Its weight in the endpoints that the caller's sidecar uses."""
    found = (one for one in _seen(mesh).resources if one.type_url == ENDPOINTS and "|9080||reviews.shop" in one.name)
    groups = chain.from_iterable(ClusterLoadAssignment.FromString(one.body).endpoints for one in found)
    every = chain.from_iterable(group.lb_endpoints for group in groups)
    here = (one for one in every if one.endpoint.address.socket_address.address == "127.0.0.9")
    return {one.load_balancing_weight.value for one in here}


SUBSETS = document(
    "DestinationRule",
    {"host": "reviews", "subsets": [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]},
)


async def _weighed(mesh: Mesh, count: int) -> list[float]:
    """Seconds from a stored weight to the caller's acknowledgement: of routes and of endpoints by turns."""
    for one in (SUBSETS, _split(1), _place(2)):
        await mesh.store.create(one)
    took: list[float] = []
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent, running(await _caller(mesh)) as other:
        await agent.says("is registered")
        await other.says("is registered")
        await until_true(lambda: _both(mesh, 1, 2))
        for number in range(count):
            weight, (make, seen) = number % 90 + 5, ((_split, _share), (_place, _weight))[number % 2]
            begun = time.monotonic()
            await mesh.store.replace(make(weight), None)
            await until(lambda weight=weight, seen=seen: seen(mesh) == {weight})
            took.append(time.monotonic() - begun)
            await asyncio.sleep(0.1)
        assert await agent.stop() == 0
    return sorted(took)


async def _both(mesh: Mesh, share: int, weight: int) -> bool:
    return (_share(mesh), _weight(mesh)) == ({share}, {weight})


@pytest.mark.live
@pytest.mark.timeout(120)
async def test_weights_reach_callers_within_half_a_second(mesh: Mesh) -> None:
    took = await _weighed(mesh, 20)
    assert took[len(took) // 2] < PROMISED, took


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_two_hundred_weights_reach_callers_within_half_a_second(mesh: Mesh) -> None:
    took = await _weighed(mesh, 200)
    assert took[int(len(took) * 0.99) - 1] < PROMISED, _figures(took)
