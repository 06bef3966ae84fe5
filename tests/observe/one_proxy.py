"""One Envoy that counts its calls as a sidecar does, and tells a control plane of tests."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.servers import envoy_command, running
from tests.observe.paced import serve
from weft.agent.reporting import buckets, counted, reporting
from weft.compiler.telemetry.metrics import calls_out
from weft.demo.processes import Process, free_port
from weft.kit.clock import SystemClock
from weft.model.identity import Identity
from weft.model.reporting import peer_of
from weft.observe.edges import Edge
from weft.observe.metrics import Metrics
from weft.observe.recorded import Recorder
from weft.observe.sinks import SinkHandlers
from weft.observe.traffic import Traffic
from weft.observe.windows.store import Windows

CALLER = Identity(trust_domain="cluster.local", namespace="shop", account="web")


class Proxy:
    """An Envoy as a sidecar counts with it, and what is known of its calls."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "calls.json"
        self.windows = Windows(None)
        self.traffic = Traffic(self.windows, SystemClock())
        self.metrics = Metrics(Recorder(self.windows))
        self.handlers = SinkHandlers((self.metrics.sink(),), lambda _: CALLER, SystemClock())
        self.port = 0
        self.process: Process

    def edge(self) -> Edge | None:
        period = self.traffic.period(600)
        return next(iter(self.traffic.edges(period.start, period.end)), None)

    def exact(self) -> list[float]:
        """Milliseconds of every call, from Envoy's own log."""
        return sorted(json.loads(line)["us"] / 1000 for line in self.log.read_text().splitlines())


def _bootstrap(proxy: Proxy, application: int, sink: int, flush: float) -> Any:
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
    return made | reporting() | {"node": node, "stats_config": stats, "stats_flush_interval": f"{flush}s"}


def _named(name: str, cluster: Any) -> Any:
    options = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    return cluster | {"name": name, "typed_extension_protocol_options": options}


@contextlib.asynccontextmanager
async def proxy_of(directory: Path, flush: float = 0.5) -> AsyncIterator[Proxy]:
    """One that runs until the block ends, and tells every so many seconds what it counted."""
    proxy = Proxy(directory)
    proxy.port = free_port()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((proxy.handlers,))
    sink = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    application = await serve()
    port = application.sockets[0].getsockname()[1]
    command = [
        *envoy_command("counting", _bootstrap(proxy, port, sink, flush), directory),
        "--file-flush-interval-msec",
        "300",
    ]
    try:
        with running("counting", command, directory) as proxy.process:
            await until(lambda: _answers(proxy.port))
            yield proxy
    finally:
        application.close()
        await server.stop(None)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)
