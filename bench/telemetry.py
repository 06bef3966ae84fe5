"""What metrics and spans cost a request: CPU of both sidecars as weft compiles them, and of the same told of nothing.

Two bare Envoys beside them say what all else costs.
"""

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from bench import compiled
from bench.certificates import write_pair
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place, get, once, saturate
from bench.servers import START_SECONDS, Way, application, bare_pair, envoy_command, running
from bench.static import Tls
from weft.demo.processes import free_port, until
from weft.model.reporting import PEER_VARIABLE, peer_of
from weft.observe.access_logs import METHOD as LOGS
from weft.observe.metrics import METHOD as METRICS
from weft.observe.traces.tracing import METHOD as SPANS

NAME = "telemetry"
TITLE = "Metrics and spans"
MOST = 1.25
_BARE, _NONE, _METRICS, _SPANS = "bare Envoys", "nothing", "metrics of every call", "metrics, and spans of 1 %"
_NO_SPANS: compiled.Spec = {"tracing": [{"disableSpanReporting": True}]}
_NO_METRICS: compiled.Spec = {"metrics": [{"overrides": [{"match": {"metric": "ALL_METRICS"}, "disabled": True}]}]}
_SAID: dict[str, compiled.Spec | None] = {_NONE: _NO_SPANS | _NO_METRICS, _METRICS: _NO_SPANS, _SPANS: None}
"""What a Telemetry says; without one, weft's own defaults hold."""
_PEER = peer_of("caller-1", compiled.NAMESPACE, (("app", "caller"), ("version", "v1"))).text
_SIDES = ("out", "in")


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request of the caller's and the callee's proxy, and how many times those without."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app, sink = stack.enter_context(application(directory)), stack.enter_context(_receiver())
        ways = {_BARE: stack.enter_context(bare_pair(app, directory))}
        for index, (name, said) in enumerate(_SAID.items()):
            ways[name] = stack.enter_context(_way(app, directory / f"case-{index}", said, sink))
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    sides = {
        f"{name}, {side}": [round_[index] for round_ in found]
        for name, found in samples.items()
        for index, side in enumerate(_SIDES)
    }
    ratios = {
        (name, side): ratio(sides[f"{name}, {side}"], sides[f"{_NONE}, {side}"])
        for name in samples
        for side in _SIDES
        if name != _NONE
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
        Target(
            what=f"CPU for a request with {name}, of a sidecar's without ({side})",
            measured=ratios[name, side],
            limit=MOST,
            unit="x",
        )
        for name in (_METRICS, _SPANS)
        for side in _SIDES
    )
    columns = ("told", "caller's proxy", "callee's proxy", "of nothing told, out", "of nothing told, in")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, samples=sides)


@contextmanager
def _way(app: int, home: Path, said: compiled.Spec | None, sink: int) -> Iterator[Way]:
    """A caller's sidecar and the application's, in a directory of their own."""
    home.mkdir()
    port, between = free_port(), free_port()
    bundle = write_pair(home, *(compiled.identity(name).uri for name in ("caller", "app")))
    commands = {}
    for index, (name, resources) in enumerate(
        zip(("caller", "app"), compiled.pair(port, between, app, said), strict=True)
    ):
        tls = Tls(certificate=home / f"{index}.crt", key=home / f"{index}.key", bundle=bundle, peer="")
        commands[name] = envoy_command(name, compiled.settled(name, resources, tls, home, sink), home)
    place = Place(port=port, request=get("/api/v1/items/7", f"app:{compiled.PORT}"))
    with (
        running("app", commands["app"], home) as callee,
        running("caller", commands["caller"], home, {PEER_VARIABLE: _PEER}) as caller,
    ):
        until(lambda: once(place), "the sidecars did not answer", START_SECONDS, (callee, caller))
        yield Way(place=place, proxies=(("out", caller.pid), ("in", callee.pid)))


@contextmanager
def _receiver() -> Iterator[int]:
    """Takes spans, logs and metrics and forgets them; the port."""
    taken = grpc.unary_unary_rpc_method_handler(lambda content, _: b"")
    streamed = grpc.stream_unary_rpc_method_handler(_forgotten)
    handlers = [_handler(SPANS, taken), _handler(LOGS, streamed), _handler(METRICS, streamed)]
    with ThreadPoolExecutor(128) as pool:
        server = grpc.server(pool, handlers=handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(None).wait()


def _handler(path: str, method: grpc.RpcMethodHandler) -> grpc.GenericRpcHandler:
    service, _, name = path.removeprefix("/").partition("/")
    return grpc.method_handlers_generic_handler(service, {name: method})


def _forgotten(messages: Iterator[bytes], _: grpc.ServicerContext) -> bytes:
    for _message in messages:
        pass
    return b""


def _case(way: Way, seconds: float) -> Callable[[], tuple[float, float]]:
    def run() -> tuple[float, float]:
        before = [cpu_seconds(pid) for _, pid in way.proxies]
        load = saturate(way.place, seconds)
        out, into = ((cpu_seconds(pid) - then) for (_, pid), then in zip(way.proxies, before, strict=True))
        requests = max(1, load.requests)
        return out / requests * 1e6, into / requests * 1e6

    return run
