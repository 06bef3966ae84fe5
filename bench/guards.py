"""What rate limits and circuit breakers add to a request: one Envoy, without and with weft's filters, in turns."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from bench import static
from bench.figure import Figure, number, times
from bench.harness import Effort, cpu_seconds, difference, interleaved, ratio
from bench.load import Place, get, saturate
from bench.servers import application, envoy_command, running, wait_for
from weft.agent.bootstrap import RUNTIME
from weft.agent.breakers import VARIABLE, make_file
from weft.compiler.http_filters import breakers, limits
from weft.compiler.http_filters.extras import Extras
from weft.demo.processes import free_port
from weft.kit.value import Value
from weft.model.breaker import Breaker
from weft.model.limits import ByHeader, Limit, RateLimits
from weft.model.match import ANY_REQUEST
from weft.model.route import Backend, Destination, Forward
from weft.view.view import Guarded, Route

NAME = "guards"
TITLE = "Rate limits and circuit breakers"

_BARE = "one Envoy, bare"
_PLENTY = 1_000_000_000
_COLUMNS = ("one Envoy with", "CPU/request", "of bare", "added")
_DESTINATION = Destination(host="app", port=80)


class Case(Value):
    """A chain, and whether its route wants what is in it."""

    name: str
    extras: Extras = Extras()
    route: Route | None = None


def _limits(name: str, *by: ByHeader) -> RateLimits:
    return RateLimits(
        name=f"bench/{name}",
        limits=(Limit(name="all", requests=_PLENTY, period=1, burst=_PLENTY, by=by),),
    )


def _route(**changes: object) -> Route:
    forward = Forward(backends=(Backend(destination=_DESTINATION),))
    return Route(match=ANY_REQUEST, action=forward, **changes)  # type: ignore[arg-type]


def _breaker(**rules: object) -> tuple[Guarded, ...]:
    return (Guarded(destination=_DESTINATION, breaker=Breaker(name="bench/app", **rules)),)  # type: ignore[arg-type]


def _cases() -> tuple[Case, ...]:
    plain, apart = _limits("plain"), _limits("apart", ByHeader(name="host"))
    row, rate = _breaker(), _breaker(failure_rate=50.0, window=10_000, slow_call=1000, slow_rate=50.0)
    return (
        Case(name=_BARE),
        Case(name="both in the chain, for other routes", extras=Extras(limits=(plain,), breakers=True)),
        Case(name="a local limit", extras=Extras(limits=(plain,)), route=_route(limits=plain)),
        Case(name="a local limit for each header value", extras=Extras(limits=(apart,)), route=_route(limits=apart)),
        Case(name="a breaker, failures in a row", extras=Extras(breakers=True), route=_route(breakers=row)),
        Case(name="a breaker, rates in a window", extras=Extras(breakers=True), route=_route(breakers=rate)),
    )


def measure(effort: Effort) -> Figure:
    """Microseconds of the Envoy's CPU for a request, saturated."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        port = stack.enter_context(application(directory))
        places = {one.name: stack.enter_context(_envoy(one, port, directory)) for one in _cases()}
        runs = {name: _run(place, pid, effort.seconds) for name, (place, pid) in places.items()}
        samples = interleaved(effort.rounds, runs)
    bare = samples[_BARE]
    rows = [
        (
            name,
            number(statistics.median(mine), "us"),
            "" if name == _BARE else times(ratio(mine, bare)),
            "" if name == _BARE else number(difference(mine, bare), "us"),
        )
        for name, mine in samples.items()
    ]
    note = f"One worker, plain HTTP/1.1, saturated; {effort.rounds} rounds of {effort.seconds:g} s, each case in turn."
    return Figure(name=NAME, title=TITLE, columns=_COLUMNS, rows=tuple(rows), notes=(note,), samples=samples)


def _run(place: Place, pid: int, seconds: float) -> Callable[[], float]:
    def run() -> float:
        before = cpu_seconds(pid)
        load = saturate(place, seconds)
        return (cpu_seconds(pid) - before) / load.requests * 1e6

    return run


@contextmanager
def _envoy(case: Case, application_port: int, directory: Path) -> Iterator[tuple[Place, int]]:
    port, name = free_port(), f"guards-{case.name.replace(' ', '-').replace(',', '')}"
    file = directory / f"{name}.breakers"
    make_file(file)
    filters = [*limits.http_filters(case.extras), *breakers.http_filters(case.extras)]
    said = (limits.on_route(case.route) | breakers.on_route(case.route)) if case.route else {}
    config = static.hop(port, application_port)
    config["layered_runtime"] = {"layers": [{"name": "weft", "static_layer": RUNTIME}]}
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = [*(_json(one) for one in filters), *manager["http_filters"]]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    route["typed_per_filter_config"] = {key: _json(one) for key, one in said.items()}
    with running(name, envoy_command(name, config, directory), directory, {VARIABLE: str(file)}) as process:
        wait_for(port, process)
        yield Place(port=port, request=get("/", "server")), process.pid


def _json(message: Message) -> static.Json:
    return MessageToDict(message, preserving_proto_field_name=True)
