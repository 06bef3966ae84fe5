"""What 10,000 routes cost a request at a gateway: ``weft gateway run``, and an Envoy with the same routes by hand.

Each of the two with one route and with all of them, in turns. Envoy looks a host up and tries its routes in order, so
the request is for the last route of a host: what it costs weft's gateway more than Envoy's own matching is weft's.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import mesh as meshes
from bench import static
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place, get, once, saturate
from bench.servers import application, envoy_command, running
from weft.cli.client import Client
from weft.demo.processes import free_port, until

NAME = "gateway"
TITLE = "A request to a gateway with 10,000 routes"
HOSTS, RULES = 1_000, 10
_MOST = 1.1
_START_SECONDS = 60.0
_NETWORKING = f"/apis/networking.istio.io/v1/namespaces/{meshes.NAMESPACE}"
_BARE, _BARE_MANY = "Envoy by hand, one route", f"Envoy by hand, {HOSTS * RULES:,} routes"
_ONE, _MANY = "weft's gateway, one route", f"weft's gateway, {HOSTS * RULES:,} routes"
_COLUMNS = ("", "CPU/request", "of one route")


def measure(effort: Effort) -> Figure:
    """Microseconds of the proxy's CPU for a request, saturated, one worker."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        app = stack.enter_context(application(directory))
        ways = {
            _BARE: stack.enter_context(_by_hand("one", app, 1, 1, directory)),
            _BARE_MANY: stack.enter_context(_by_hand("many", app, HOSTS, RULES, directory)),
        }
        mesh = stack.enter_context(meshes.control_plane())
        ways |= _gateways(mesh, app)
        samples = interleaved(effort.rounds, {name: _case(*way, effort.seconds) for name, way in ways.items()})
    bare, slowed = ratio(samples[_BARE_MANY], samples[_BARE]), ratio(samples[_MANY], samples[_ONE])
    compared = {_BARE_MANY: times(bare), _MANY: times(slowed)}
    rows = tuple(
        (name, number(statistics.median(mine), "us"), compared.get(name, "")) for name, mine in samples.items()
    )
    what = f"slower by {HOSTS * RULES:,} routes at a gateway, of what Envoy's own matching is"
    target = Target(what=what, measured=slowed / bare, limit=_MOST, unit="")
    note = f"{HOSTS:,} hosts of {RULES} routes; plain HTTP/1.1, for the last route of the last host."
    return Figure(
        name=NAME, title=TITLE, columns=_COLUMNS, rows=rows, targets=(target,), notes=(note,), samples=samples
    )


def _case(place: Place, pid: int, seconds: float) -> Callable[[], float]:
    def run() -> float:
        before = cpu_seconds(pid)
        load = saturate(place, seconds)
        return (cpu_seconds(pid) - before) / load.requests * 1e6

    return run


def _request(hosts: int, rules: int) -> bytes:
    return get(f"/api/v1/path-{rules - 1}/item", _host(hosts - 1))


def _host(host: int) -> str:
    return f"host-{host}.example.com"


@contextmanager
def _by_hand(name: str, app: int, hosts: int, rules: int, directory: Path) -> Iterator[tuple[Place, int]]:
    place = Place(port=free_port(), request=_request(hosts, rules))
    config = static.hop(place.port, app)
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    action = manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    tables = [{"name": _host(host), "domains": [_host(host)]} for host in range(hosts)]
    routes = [{"match": _match(rule), "route": action} for rule in range(rules)]
    manager["route_config"]["virtual_hosts"] = [table | {"routes": routes} for table in tables]
    with running(name, envoy_command(name, config, directory), directory) as process:
        until(lambda: once(place), f"the Envoy with {name} did not answer", _START_SECONDS, [process])
        yield place, process.pid


def _match(rule: int) -> static.Json:
    method = {"name": ":method", "string_match": {"exact": "GET"}}
    return {"prefix": f"/api/v1/path-{rule}", "headers": [method]}


def _gateways(mesh: meshes.BenchMesh, app: int) -> dict[str, tuple[Place, int]]:
    """Two gateways of one control plane, each with routes of its own."""
    places = {}
    with mesh.client() as client:
        _post(client, "serviceentries", "ServiceEntry", "app", _application(app))
        for name, case, hosts, rules in (("one", _ONE, 1, 1), ("many", _MANY, HOSTS, RULES)):
            places[case] = Place(port=free_port(), request=_request(hosts, rules))
            server = {"port": {"number": places[case].port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
            _post(client, "gateways", "Gateway", name, {"selector": {"app": name}, "servers": [server]})
            for host in range(hosts):
                _post(client, "virtualservices", "VirtualService", f"{name}-{host}", _table(name, host, rules))
        tokens = {name: client.post("/weft/v1/tokens", _token(name))["token"] for name in ("one", "many")}
    for name, token in tokens.items():
        mesh.start_gateway(name, token)
    alive = list(mesh.workloads.values())
    for case, place in places.items():
        until(lambda place=place: once(place), f"{case} did not answer", _START_SECONDS, alive)  # type: ignore[misc]
    return {case: (places[case], mesh.sidecar(name)) for case, name in ((_ONE, "one"), (_MANY, "many"))}


def _post(client: Client, plural: str, kind: str, name: str, spec: dict[str, Any]) -> None:
    content = {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    client.post(f"{_NETWORKING}/{plural}", content)


def _application(port: int) -> dict[str, Any]:
    return {
        "hosts": ["app.example.com"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "location": "MESH_EXTERNAL",
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": port}}],
    }


def _table(gateway: str, host: int, rules: int) -> dict[str, Any]:
    def rule(number: int) -> dict[str, Any]:
        match = {"uri": {"prefix": f"/api/v1/path-{number}"}, "method": {"exact": "GET"}}
        return {"match": [match], "route": [{"destination": {"host": "app.example.com", "port": {"number": 80}}}]}

    return {"hosts": [_host(host)], "gateways": [gateway], "http": [rule(number) for number in range(rules)]}


def _token(name: str) -> dict[str, object]:
    return {"namespace": meshes.NAMESPACE, "serviceAccount": name, "ttlSeconds": 300.0}
