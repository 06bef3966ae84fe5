"""What metrics and spans cost a request: CPU of both sidecars, with and without what the compiler writes for them."""

import copy
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place, get, once, saturate
from bench.servers import START_SECONDS, Way, _tls, application, envoy_command, running
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft.agent.bootstrap import RUNTIME, _grpc_cluster
from weft.compiler.telemetry.metrics import calls_in, calls_out
from weft.compiler.telemetry.peers import noting, saying
from weft.compiler.telemetry.streams import CONTROL_PLANE
from weft.compiler.telemetry.tracing import trace
from weft.demo.processes import free_port, until
from weft.model.identity import Identity
from weft.model.reporting import PEER_VARIABLE, peer_of
from weft.model.settings import Settings
from weft.model.telemetry import Side, Told
from weft.observe.traces.tracing import METHOD
from weft.view.node import Node
from weft.view.spans import tracing_of

NAME = "telemetry"
TITLE = "Metrics and spans"
MOST = 1.25
_NONE, _METRICS, _SPANS = "nothing", "metrics of every call", "metrics, and spans of 1 %"
_HOST = "app.bench.svc.cluster.local"
_PEER = peer_of("app-1", "bench", (("app", "app"), ("version", "v1"))).text
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SIDES = ("out", "in")
_NODE = Node(
    id="app-1.bench",
    namespace="bench",
    workload="app-1",
    identity=Identity(trust_domain="cluster.local", namespace="bench", account="app"),
    labels=(("app", "app"), ("version", "v1")),
)


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request of the caller's and the callee's proxy, and how many times those without."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app, spans = stack.enter_context(application(directory)), stack.enter_context(_receiver())
        ways = {
            name: stack.enter_context(_way(app, directory / f"case-{index}", name, spans))
            for index, name in enumerate((_NONE, _METRICS, _SPANS))
        }
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    sides = {
        f"{name}, {side}": [round_[index] for round_ in found]
        for name, found in samples.items()
        for index, side in enumerate(_SIDES)
    }
    ratios = {
        (name, side): ratio(sides[f"{name}, {side}"], sides[f"{_NONE}, {side}"])
        for name in (_METRICS, _SPANS)
        for side in _SIDES
    }
    rows = tuple(
        (
            name,
            *(number(statistics.median(sides[f"{name}, {side}"]), "us") for side in _SIDES),
            *("" if name == _NONE else times(ratios[name, side]) for side in _SIDES),
        )
        for name in samples
    )
    targets = tuple(
        Target(what=f"CPU for a request with {name}, of a bare proxy's ({side})", measured=found, limit=MOST, unit="x")
        for (name, side), found in ratios.items()
    )
    columns = ("told", "caller's proxy", "callee's proxy", "of bare, out", "of bare, in")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, samples=sides)


@contextmanager
def _way(app: int, home: Path, case: str, spans: int) -> Iterator[Way]:
    """A caller's proxy and the application's, in a directory of their own."""
    home.mkdir()
    port, between = free_port(), free_port()
    out, into = _tls(home)
    server, calling = static.inbound(between, app, into), static.outbound(port, between, out)
    if case != _NONE:
        server, calling = _counted_in(server), _counted_out(calling)
    if case == _SPANS:
        server, calling = _traced(server, spans), _traced(calling, spans)
    place = Place(port=port, request=get("/api/v1/items/7", "server"))
    commands = (envoy_command("inbound", server, home), envoy_command("outbound", calling, home))
    with (
        running("inbound", commands[0], home) as callee,
        running("outbound", commands[1], home, {PEER_VARIABLE: _PEER}) as caller,
    ):
        until(lambda: once(place), "the proxies did not answer", START_SECONDS, (callee, caller))
        yield Way(place=place, proxies=(("out", caller.pid), ("in", callee.pid)))


def _manager(bootstrap: static.Json) -> static.Json:
    manager: static.Json = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]
    return manager


def _counted_in(bootstrap: static.Json) -> static.Json:
    made = copy.deepcopy(bootstrap)
    manager = _manager(made)
    manager["access_log"] = [_json(one) for one in calls_in(_HOST)]
    manager["http_filters"].insert(0, _json(noting()))
    return made


def _counted_out(bootstrap: static.Json) -> static.Json:
    made = copy.deepcopy(bootstrap)
    _manager(made)["access_log"] = [_json(one) for one in calls_out()]
    (cluster,) = made["static_resources"]["clusters"]
    for group in cluster["load_assignment"]["endpoints"]:
        for endpoint in group["lb_endpoints"]:
            endpoint["metadata"] = {"filter_metadata": {"istio": {"workload": _PEER}}}
    options = cluster["typed_extension_protocol_options"][_OPTIONS]
    options["http_filters"] = [_json(one) for one in saying()]
    return made


def _traced(bootstrap: static.Json, spans: int) -> static.Json:
    """A proxy that sends the spans of 1 % of its calls to a port."""
    made, manager = copy.deepcopy(bootstrap), HttpConnectionManager()
    trace(manager, Told(tracing=tracing_of(Settings(), (), Side.CLIENT, _NODE)))
    _manager(made)["tracing"] = _json(manager.tracing)
    address = {"socket_address": {"address": "127.0.0.1", "port_value": spans}}
    made["static_resources"]["clusters"].append({**_grpc_cluster(CONTROL_PLANE, address), "type": "STATIC"})
    made["layered_runtime"] = {"layers": [{"name": "weft", "static_layer": RUNTIME}]}
    return made


@contextmanager
def _receiver() -> Iterator[int]:
    """Takes spans and forgets them; the port."""
    handler = grpc.unary_unary_rpc_method_handler(lambda content, _: b"")
    service, _, method = METHOD.removeprefix("/").partition("/")
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=(grpc.method_handlers_generic_handler(service, {method: handler}),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(None).wait()


def _json(message: Message) -> static.Json:
    return MessageToDict(message, preserving_proto_field_name=True)


def _case(way: Way, seconds: float) -> Callable[[], tuple[float, float]]:
    def run() -> tuple[float, float]:
        before = [cpu_seconds(pid) for _, pid in way.proxies]
        load = saturate(way.place, seconds)
        out, into = ((cpu_seconds(pid) - then) for (_, pid), then in zip(way.proxies, before, strict=True))
        requests = max(1, load.requests)
        return out / requests * 1e6, into / requests * 1e6

    return run
