"""A real Envoy's percentiles are within 1 % of what it saw, whatever the times are like."""

import asyncio
import contextlib
import json
import math
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.servers import envoy_command, running
from tests.observe.paced import ask_all, serve
from weft.agent.reporting import buckets, counted, reporting
from weft.compiler.telemetry.metrics import calls_out
from weft.demo.processes import free_port
from weft.kit.clock import SystemClock
from weft.model.cells import cell_of
from weft.model.identity import Identity
from weft.model.reporting import peer_of
from weft.observe.edges import Edge
from weft.observe.metrics import Metrics
from weft.observe.promql.columns import Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.recorded import Recorder
from weft.observe.sinks import SinkHandlers
from weft.observe.traffic import Traffic
from weft.observe.windows.packing import STEP
from weft.observe.windows.store import Windows

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
CALLER = Identity(trust_domain="cluster.local", namespace="shop", account="web")
WANTED = (50.0, 90.0, 95.0, 99.0)


class Proxy:
    """An Envoy as a sidecar counts with it, and what is known of its calls."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "calls.json"
        self.windows = Windows(None)
        self.traffic = Traffic(self.windows, SystemClock())
        self.metrics = Metrics(Recorder(self.windows))
        self.handlers = SinkHandlers((self.metrics.sink(),), lambda _: CALLER, SystemClock())
        self.port = 0

    def edge(self) -> Edge | None:
        period = self.traffic.period(600)
        return next(iter(self.traffic.edges(period.start, period.end)), None)

    def exact(self) -> list[float]:
        """Milliseconds of every call, from Envoy's own log."""
        return sorted(json.loads(line)["us"] / 1000 for line in self.log.read_text().splitlines())


def _bootstrap(proxy: Proxy, application: int, sink: int) -> Any:
    log = {
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(proxy.log),
            "log_format": {"json_format": {"us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"}},
        },
    }
    loggers = [MessageToDict(one, preserving_proto_field_name=True) for one in calls_out()]
    made = static._bootstrap(
        proxy.port,
        static._forward(),
        clusters=[static._cluster(application), _named("xds", static._cluster(sink))],
        manager={"access_log": [log, *loggers]},
    )
    workload = peer_of("app-1", "shop", (("app", "app"), ("version", "v1"))).text
    for group in made["static_resources"]["clusters"][0]["load_assignment"]["endpoints"]:
        for endpoint in group["lb_endpoints"]:
            endpoint["metadata"] = {"filter_metadata": {"istio": {"workload": workload}}}
    stats = {
        "stats_matcher": {"inclusion_list": {"patterns": counted()}},
        "histogram_bucket_settings": buckets(),
    }
    node = {"id": "web-1.shop", "cluster": "web"}
    return made | reporting() | {"node": node, "stats_config": stats, "stats_flush_interval": "0.5s"}


def _named(name: str, cluster: Any) -> Any:
    options = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    return cluster | {"name": name, "typed_extension_protocol_options": options}


@contextlib.asynccontextmanager
async def _proxy(directory: Path) -> AsyncIterator[Proxy]:
    proxy = Proxy(directory)
    proxy.port = free_port()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((proxy.handlers,))
    sink = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    application = await serve()
    port = application.sockets[0].getsockname()[1]
    command = [
        *envoy_command("counting", _bootstrap(proxy, port, sink), directory),
        "--file-flush-interval-msec",
        "300",
    ]
    try:
        with running("counting", command, directory):
            await _until(lambda: _answers(proxy.port))
            yield proxy
    finally:
        application.close()
        await server.stop(None)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


async def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


def _log_normal(chance: random.Random) -> float:
    return min(chance.lognormvariate(math.log(0.012), 0.8), 0.4)


def _bimodal(chance: random.Random) -> float:
    return chance.gauss(0.004, 0.0004) if chance.random() < 0.93 else chance.gauss(0.15, 0.004)


def _constant(_: random.Random) -> float:
    return 0.1002


def _uneven(chance: random.Random) -> float:
    """Where Envoy's two digits are worst: just above a power of ten, at the ends of its bins."""
    return chance.choice((0.0101, 0.0108, 0.0109, 0.0111, 0.0119, 0.1003, 0.1093, 0.1101))


@pytest.mark.parametrize("like", [_log_normal, _bimodal, _constant, _uneven])
async def test_percentiles_are_within_one_percent(tmp_path: Path, like: Callable[[random.Random], float]):
    chance = random.Random(5)
    waits = [max(0.001, like(chance)) for _ in range(1500)]
    async with _proxy(tmp_path) as proxy:
        await ask_all(proxy.port, waits, connections=48)
        await _until(lambda: (edge := proxy.edge()) is not None and edge.latency.count >= len(waits))
        await _until(lambda: len(proxy.log.read_text().splitlines()) == len(waits))
        edge = proxy.edge()
        assert edge is not None
        assert (edge.requests, edge.latency.count) == (len(waits), len(waits))
        exact = proxy.exact()
        assert dict(edge.latency.buckets) == Counter(map(cell_of, exact))
        truth = [exact[math.ceil(percent / 100 * len(exact)) - 1] for percent in WANTED]
        assert edge.latency.percentiles(WANTED) == pytest.approx(truth, rel=0.0051)
        proxy.windows.tick(round(SystemClock().now() * 1000) + STEP)
        at = round(SystemClock().now() * 1000) + 2 * STEP
        for percent, expected in zip(WANTED, truth, strict=True):
            query = f"histogram_quantile({percent / 100}, sum by (le) (istio_request_duration_milliseconds_bucket))"
            found = evaluate(query, Steps(start=at, end=at, step=1), proxy.windows).result
            assert isinstance(found, dict)
            assert [column[0] for column in found.values()] == [pytest.approx(expected, rel=0.0105)]
