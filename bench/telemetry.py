"""What metrics cost a request: CPU of both sidecars, with and without what the compiler writes for them."""

import copy
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place, get, once, saturate
from bench.servers import START_SECONDS, Way, _tls, application, envoy_command, running
from weft.compiler.telemetry.metrics import calls_in, calls_out
from weft.compiler.telemetry.peers import noting, saying
from weft.demo.processes import free_port, until
from weft.model.reporting import PEER_VARIABLE, peer_of

NAME = "telemetry"
TITLE = "Metrics"
MOST = 1.25
_NONE, _METRICS = "nothing", "metrics of every call"
_HOST = "app.bench.svc.cluster.local"
_PEER = peer_of("app-1", "bench", (("app", "app"), ("version", "v1"))).text
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SIDES = ("out", "in")


def measure(effort: Effort) -> Figure:
    """Microseconds of CPU per request of the caller's and the callee's proxy, and how many times those without."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app = stack.enter_context(application(directory))
        ways = {
            name: stack.enter_context(_way(app, directory / f"case-{index}", counted=name == _METRICS))
            for index, name in enumerate((_NONE, _METRICS))
        }
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    sides = {
        f"{name}, {side}": [round_[index] for round_ in found]
        for name, found in samples.items()
        for index, side in enumerate(_SIDES)
    }
    ratios = {side: ratio(sides[f"{_METRICS}, {side}"], sides[f"{_NONE}, {side}"]) for side in _SIDES}
    rows = tuple(
        (
            name,
            *(number(statistics.median(sides[f"{name}, {side}"]), "us") for side in _SIDES),
            *("" if name == _NONE else times(ratios[side]) for side in _SIDES),
        )
        for name in samples
    )
    targets = tuple(
        Target(what=f"CPU for a request with metrics, of a bare proxy's ({side})", measured=found, limit=MOST, unit="x")
        for side, found in ratios.items()
    )
    columns = ("counted", "caller's proxy", "callee's proxy", "of bare, out", "of bare, in")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, samples=sides)


@contextmanager
def _way(app: int, home: Path, *, counted: bool) -> Iterator[Way]:
    """A caller's proxy and the application's, in a directory of their own."""
    home.mkdir()
    port, between = free_port(), free_port()
    out, into = _tls(home)
    server, calling = static.inbound(between, app, into), static.outbound(port, between, out)
    if counted:
        server, calling = _counted_in(server), _counted_out(calling)
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
