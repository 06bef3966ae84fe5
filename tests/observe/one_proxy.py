"""One Envoy that counts its calls as a sidecar does, and tells a control plane of tests."""

import asyncio
import contextlib
import json
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.servers import envoy_command, running
from tests.observe.paced import serve
from tests.ports import held_port
from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from weft.agent.bootstrap import STREAM_WINDOW
from weft.agent.reporting import buckets, counted, reporting
from weft.compiler.telemetry.metrics import calls_out
from weft.compiler.telemetry.streams import streamed
from weft.compiler.wire import packed
from weft.demo.processes import Process
from weft.kit.clock import SystemClock
from weft.model.identity import Identity
from weft.model.reporting import peer_of
from weft.observe.access_logs import access_log_sink
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
        self.handlers = SinkHandlers((self.metrics.sink(), access_log_sink({})), lambda _: CALLER, SystemClock())
        self.port = self.admin = 0
        self.process: Process

    def edge(self) -> Edge | None:
        period = self.traffic.period(600)
        return next(iter(self.traffic.edges(period.start, period.end)), None)

    def statistic(self, name: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/stats?filter={name}", timeout=10) as answer:
            return int(answer.read().decode().partition(": ")[2])

    def exact(self) -> list[float]:
        """Milliseconds of every call, from Envoy's own log."""
        return sorted(json.loads(line)["us"] / 1000 for line in self.log.read_text().splitlines())


def _bootstrap(proxy: Proxy, application: int, sink: int, flush: float, log_name: str) -> Any:
    log = {
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(proxy.log),
            "log_format": {"json_format": {"us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"}},
        },
    }
    told = [_told(log_name)] if log_name else []
    loggers = [MessageToDict(one, preserving_proto_field_name=True) for one in (*calls_out(), *told)]
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
        "stats_matcher": {"inclusion_list": {"patterns": [*counted(), {"prefix": "access_logs."}]}},
        "histogram_bucket_settings": buckets(),
    }
    node = {"id": "web-1.shop", "cluster": "web"}
    made["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": proxy.admin}}}
    return made | reporting() | {"node": node, "stats_config": stats, "stats_flush_interval": f"{flush}s"}


def _told(log_name: str) -> AccessLog:
    """Every call in a log to the control plane, with a header that may be large."""
    config = HttpGrpcAccessLogConfig(common_config=streamed(log_name), additional_request_headers_to_log=["x-large"])
    return AccessLog(name="envoy.access_loggers.http_grpc", typed_config=packed(config))


def _named(name: str, cluster: Any) -> Any:
    options = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {"initial_stream_window_size": STREAM_WINDOW}},
        }
    }
    return cluster | {"name": name, "typed_extension_protocol_options": options}


@contextlib.asynccontextmanager
async def proxy_of(directory: Path, flush: float = 0.5, log_name: str = "") -> AsyncIterator[Proxy]:
    """One that runs until the block ends, tells every so many seconds what it counted, and has a log of all calls if
    it has a name."""
    proxy = Proxy(directory)
    with held_port() as proxy.port, held_port() as proxy.admin:
        async with _running(proxy, directory, flush, log_name):
            yield proxy


@contextlib.asynccontextmanager
async def _running(proxy: Proxy, directory: Path, flush: float, log_name: str) -> AsyncIterator[None]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((proxy.handlers,))
    sink = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    application = await serve()
    port = application.sockets[0].getsockname()[1]
    command = [
        *envoy_command("counting", _bootstrap(proxy, port, sink, flush, log_name), directory),
        "--file-flush-interval-msec",
        "300",
    ]
    try:
        with running("counting", command, directory) as proxy.process:
            await until(lambda: _answers(proxy.port))
            yield
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
