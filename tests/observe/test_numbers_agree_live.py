"""Calls through the sidecars of the shop, of known status and time: stat, PromQL and the graph say the same of them."""

import asyncio
import contextlib
import json
import math
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from bench.mesh import BenchMesh
from tests.observe.echoing import EACH, ENDLESS, FIRST
from tests.observe.paced import ask_all, at_once
from weft.demo.calls import caller
from weft.demo.mesh import DemoMesh
from weft.demo.processes import free_port, until
from weft.demo.shop import NAMESPACE, SHOP, Member

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
CALLS = 10_000
SECONDS = 45.0
PACED = Member(name="paced-1", service="paced", script="paced.py")
PASSING = Member(name="passing-1", service="passing", script="passing.py", health="tcp")
ECHO = Member(name="echo-1", service="echo", script="echoing.py", port=50052, protocol="grpc", health="tcp")
_MEMBERS = tuple(one for one in SHOP if one.name in ("orders-1", "ledger-1", "ratings-1"))


class Shop(DemoMesh):
    """Some of the shop, an application that takes as long as it is asked to, a gateway, and a caller."""

    client, state, start_gateway = BenchMesh.client, BenchMesh.state, BenchMesh.start_gateway

    def start(self) -> None:
        self.start_control_plane()
        own = (PACED, PASSING, ECHO)
        self.app_ports |= {one.name: free_port() for one in own}
        visitor = Member(name="visitor-1", service="visitor", script="", port=0, health="", upstreams=_UPSTREAMS)
        for member in (*_MEMBERS, *own, visitor):
            words = self._run_command(member, self._token(member.service))
            if member in own:
                words = [*words[: words.index("--") + 1], sys.executable, str(Path(__file__).with_name(member.script))]
            self.workloads[member.name] = self._start(member.name, words)
        self.front = free_port()
        port = {"number": self.front, "name": "http", "protocol": "HTTP"}
        to = [{"route": [{"destination": {"host": "paced"}}]}]
        self._apply("Gateway", {"selector": {"app": "front"}, "servers": [{"port": port, "hosts": ["*"]}]})
        ratings = {"match": [{"uri": {"prefix": "/ratings"}}], "route": [{"destination": {"host": "ratings"}}]}
        rules = [ratings, {"name": "front page", **to[0]}]
        self._apply("VirtualService", {"hosts": ["*"], "gateways": ["front"], "http": rules})
        failing = {"name": "failing", "match": [{"headers": {"x-status": {"exact": "500"}}}], **to[0]}
        self._apply("VirtualService", {"hosts": ["paced"], "http": [failing, *to]}, "paced")
        self.start_gateway("front", self._token("front").read_text())
        alive = list(self.workloads.values())
        until(self._addresses_file.exists, "the visitor did not start", SECONDS, alive)
        until(lambda: self.synced(len(alive)), "not every proxy is in sync", SECONDS, alive)

    def _token(self, account: str) -> Path:
        path = self.directory / f"{account}.token"
        with self.client() as client:
            asked = {"namespace": NAMESPACE, "serviceAccount": account, "ttlSeconds": 300}
            path.touch(mode=0o600)
            path.write_text(client.post("/weft/v1/tokens", asked)["token"])
        return path

    def _apply(self, kind: str, spec: dict[str, Any], name: str = "front") -> None:
        about = {"apiVersion": "networking.istio.io/v1", "kind": kind}
        document = about | {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
        with self.client() as client:
            client.post(f"/apis/networking.istio.io/v1/namespaces/{NAMESPACE}/{kind.lower()}s", document)

    def ask(self, path: str, **params: str) -> Any:
        with self.client() as client:
            return client.get(path, **params)

    def query(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """What PromQL answers, by labels."""
        answer = self.ask("/prometheus/api/v1/query", query=query)
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in answer["data"]["result"]}


_UPSTREAMS = (("ORDERS_ADDR", "orders:50051"), ("LEDGER_ADDR", "ledger:7000"), ("ECHO_ADDR", "echo:50052"))


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="weft-numbers-") as directory:
        mesh = Shop(Path(directory))
        try:
            mesh.start()
            yield mesh
        finally:
            mesh.stop()


def _proxy(shop: Shop) -> int:
    return int(shop.addresses()["proxy"].rstrip("/").rpartition(":")[2])


def _edge(
    shop: Shop, target: str, protocol: str, source: str = "service/shop/visitor", since: float = 0.0
) -> dict[str, Any]:
    found = shop.ask("/weft/v1/graph", window=_window(since), namespace=NAMESPACE)["edges"]
    edges = [one for one in found if (one["source"], one["target"], one["protocol"]) == (source, target, protocol)]
    return edges[0] if edges else {"requests": 0, "connections": {"opened": 0}, "latency": {"p50": None}}


def test_ten_thousand_calls_are_ten_thousand_everywhere(shop: Shop):
    with caller(shop.addresses()["proxy"]) as visitor:
        until(lambda: visitor.get("http://ratings:9080/healthz").status == 200, "ratings is not reached", SECONDS)
    statuses = [500 if number % 50 == 0 else 404 if number % 50 == 1 else 200 for number in range(CALLS)]
    asyncio.run(ask_all(_proxy(shop), [0.002] * CALLS, statuses, "http://paced:9080/", connections=32))
    until(lambda: _signals(shop)["requests"] >= CALLS, "not all calls are told of", SECONDS)

    counted = {str(code): count for code, count in Counter(statuses).items()}
    signals, edge = _signals(shop), _edge(shop, "service/shop/paced", "http")
    assert (signals["requests"], signals["errors"], signals["clientErrors"]) == (CALLS, counted["500"], counted["404"])
    assert (edge["requests"], edge["errors"], edge["codes"], edge["mutualTls"]) == (CALLS, counted["500"], counted, 1.0)
    for reporter in ("source", "destination"):
        series = f'istio_requests_total{{reporter="{reporter}",destination_service_name="paced"}}'
        until(lambda asked=series: sum(shop.query(asked).values()) >= CALLS, "PromQL does not know", SECONDS)
        by_code = shop.query(f"sum by (response_code) ({series})")
        assert {dict(labels)["response_code"]: value for labels, value in by_code.items()} == counted
    by_route = shop.query('sum by (route) (istio_requests_total{reporter="source",destination_service_name="paced"})')
    failing = counted["500"]
    assert {dict(labels).get("route", ""): value for labels, value in by_route.items()} == {
        "": CALLS - failing,
        "failing": failing,
    }
    assert _by_route(shop, "stat")["failing"] == (failing, failing)
    assert _by_route(shop, "edges")["failing"] == (failing, failing)


@pytest.mark.soak
def test_percentiles_are_within_one_percent_of_the_callers(shop: Shop):
    """Times from 20 to 500 ms, as the caller's socket saw them. That weft tells what the proxy saw is tried with times
    of every kind, everywhere (``test_percentiles_live``)."""
    chance = random.Random(1)
    waits = [min(max(0.02, chance.lognormvariate(math.log(0.15), 0.6)), 0.5) for _ in range(2000)]
    with caller(shop.addresses()["proxy"]) as visitor:
        until(lambda: visitor.get("http://paced:9080/").status == 200, "paced is not reached", SECONDS)
    time.sleep(11)  # two reports, so that no step of 5 s has calls from before
    with _going_first(shop):
        begun = time.time()
        took = sorted(asyncio.run(ask_all(_proxy(shop), waits, (), "http://paced:9080/", connections=40)))
    until(lambda: _signals(shop, begun)["requests"] >= len(waits), "not all calls are told of", SECONDS)
    signals = _signals(shop, begun)
    assert signals["requests"] == len(waits)
    for percent in (50, 90, 95, 99):
        exact = took[math.ceil(percent / 100 * len(took)) - 1] * 1000
        assert signals["latency"][f"p{percent}"] == pytest.approx(exact, rel=0.01), percent
        edge = _edge(shop, "service/shop/paced", "http", since=begun)
        assert edge["latency"][f"p{percent}"] == signals["latency"][f"p{percent}"]


@contextlib.contextmanager
def _going_first(shop: Shop) -> Iterator[None]:
    """Caller and application go before the rest of the machine, and both proxies before them."""
    agents = [psutil.Process(shop.workloads[name].pid) for name in ("visitor-1", "paced-1")]
    started = [one for agent in agents for one in agent.children(recursive=True)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(at_once(os.getpid(), 1))
        for process in started:
            stack.enter_context(at_once(process.pid, 2 if "envoy" in process.name() else 1))
        yield


def _by_route(shop: Shop, what: str) -> dict[str, tuple[int, int]]:
    """Calls and errors of what is called ``paced``, by the rule that sent them."""
    rows = shop.ask(f"/weft/v1/{what}", by="route", window="600", namespace=NAMESPACE)["items"]
    paced = [one for one in rows if one.get("service", one.get("name", "")).partition(".")[0] == "paced"]
    return {one["route"]: (one["requests"], one["errors"]) for one in paced}


def _window(since: float) -> str:
    return "600" if not since else str(math.ceil(time.time() - since))


def _signals(shop: Shop, since: float = 0.0) -> dict[str, Any]:
    rows = shop.ask("/weft/v1/stat", window=_window(since), namespace=NAMESPACE)["items"]
    return next((one for one in rows if one["name"] == "paced"), {"requests": 0})


def test_bytes_and_grpc_and_gateways_have_edges_of_their_own(shop: Shop):
    orders = _orders(shop)
    with socket.create_connection(_address(shop, "ledger"), timeout=10) as ledger:
        ledger.sendall(b"PING\n")
        answered = len(ledger.recv(4096))
    with caller(None) as outside:
        until(lambda: outside.get(f"http://127.0.0.1:{shop.front}/").status == 200, "the gateway does not answer", 30)
        for _ in range(9):
            assert outside.get(f"http://127.0.0.1:{shop.front}/").status == 200
    gateway = next(one for one in _nodes(shop) if one["kind"] == "gateway")
    until(
        lambda: _edge(shop, "service/shop/paced", "http", gateway["id"])["requests"] >= 10
        and _by_route(shop, "edges").get("front page", (0,))[0] >= 10  # the gateway's own report, not the callee's
        and _edge(shop, "service/shop/ledger", "tcp").get("sent", 0) >= answered
        and _edge(shop, "service/shop/ledger", "tcp")["received"] >= len(b"PING\n")
        and _edge(shop, "service/shop/orders", "grpc")["requests"] >= orders,
        "not every edge is told of", SECONDS,
    )  # fmt: skip
    assert _by_route(shop, "edges")["front page"] == (10, 0)
    tcp, grpc = _edge(shop, "service/shop/ledger", "tcp"), _edge(shop, "service/shop/orders", "grpc")
    assert (tcp["connections"]["opened"], tcp["received"], tcp["mutualTls"]) == (1, len(b"PING\n"), 1.0)
    assert (grpc["requests"], grpc["codes"], grpc["mutualTls"]) == (orders, {"0": orders}, 1.0)


def _nodes(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = shop.ask("/weft/v1/graph", window="600", namespace=NAMESPACE)["nodes"]
        return any(one["kind"] == "gateway" for one in found)

    until(there, "there is no gateway in the graph", SECONDS)
    return found


def _address(shop: Shop, name: str) -> tuple[str, int]:
    host, _, port = shop.addresses()[name].rpartition(":")
    return host, int(port)


def _channel(shop: Shop, name: str) -> grpc.Channel:
    host, port = _address(shop, name)
    return grpc.insecure_channel(f"{host}:{port}", options=(("grpc.enable_http_proxy", 0),))


def _orders(shop: Shop) -> int:
    """Call the service of gRPC, whose health each instance tells; how often."""
    with _channel(shop, "orders") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        for _ in range(7):
            check(b"", timeout=10, wait_for_ready=True)
    return 7


def test_messages_of_grpc_are_counted_by_both_sides_whatever_ends_the_call(shop: Shop):
    with _channel(shop, "echo") as channel:
        each = channel.stream_stream(EACH)
        for count in (5, 12):
            assert len(list(each(iter([b"x"] * count), timeout=10, wait_for_ready=True))) == count
        endless = channel.unary_stream(ENDLESS)(b"x", timeout=10)
        assert [next(endless) for _ in range(FIRST)] == [b"x"] * FIRST
        endless.cancel()
    sent, answered = 5 + 12 + 1, 5 + 12 + FIRST
    for reporter in ("source", "destination"):
        for what, count in (("request", sent), ("response", answered)):
            series = f'istio_{what}_messages_total{{reporter="{reporter}",destination_service_name="echo"}}'
            until(
                lambda asked=series, all_=count: sum(shop.query(asked).values()) >= all_, "PromQL lacks some", SECONDS
            )
            by_ends = "sum by (source_workload, destination_workload, request_protocol) "
            ((labels, value),) = shop.query(f"{by_ends}({series})").items()
            ends = {"source_workload": "visitor-v1", "destination_workload": "echo-v1", "request_protocol": "grpc"}
            assert (dict(labels), value) == (ends, count), (reporter, what)
    assert not shop.query('istio_request_messages_total{destination_service_name="paced"}')


def test_what_the_command_line_draws_of_it_is_there(shop: Shop):
    table = shop.weft("graph", "-n", NAMESPACE, "--since", "10m")
    assert "service/shop/paced" in table
    routes = json.loads(
        shop.weft("routes", "paced", "-n", NAMESPACE, "--since", "10m", "--from", "visitor-1", "-o", "json")
    )
    failing = next(one for one in routes["items"] if one["name"] == "failing")
    assert (failing["signals"]["requests"], failing["signals"]["success"]) == (CALLS // 50, 0.0)
    assert [one["signals"] for one in routes["items"] if not one["name"]]
    assert " failing " in shop.weft("stat", "route", "-n", NAMESPACE, "--since", "10m")
    drawn = json.loads(shop.weft("graph", "paced", "-n", NAMESPACE, "--since", "10m", "-o", "json"))
    assert {one["name"] for one in drawn["nodes"]} >= {"paced", "visitor"}
    assert shop.weft("graph", "-n", NAMESPACE, "--since", "10m", "-o", "svg").startswith("<svg")


def test_a_call_of_three_hops_is_one_trace_and_each_of_its_spans_knows_its_parent(shop: Shop):
    """A route of which every call is recorded, and an application between that knows nothing of traces."""
    to = [{"route": [{"destination": {"host": "passing"}}]}]
    shop._apply("VirtualService", {"hosts": ["passing"], "http": to}, "passing")
    target = {"group": "networking.istio.io", "kind": "VirtualService", "name": "passing"}
    spec = {"targetRefs": [target], "tracing": [{"randomSamplingPercentage": 100}]}
    document = {"apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry", "spec": spec}
    with shop.client() as client:
        place = f"/apis/telemetry.istio.io/v1/namespaces/{NAMESPACE}/telemetries"
        client.post(place, document | {"metadata": {"name": "passing", "namespace": NAMESPACE}})

    def whole() -> bool:
        with caller(shop.addresses()["proxy"]) as visitor:
            visitor.get("http://passing:9080/three-hops")
        return any(one["spans"] >= 4 for one in shop.json("trace", "list", "--service", "passing.shop")["items"])

    until(whole, "no trace is whole", SECONDS)
    found = next(one for one in shop.json("trace", "list", "--service", "passing.shop")["items"] if one["spans"] >= 4)
    spans = shop.json("trace", "show", found["id"])["spans"]
    chain, parent = [], ""
    while following := [one for one in spans if one["parent"] == parent]:
        (one,) = following
        chain.append((one["service"], one["kind"]))
        parent = one["id"]
    assert chain == [
        ("visitor.shop", "client"), ("passing.shop", "server"), ("passing.shop", "client"), ("paced.shop", "server"),
    ]  # fmt: skip
    assert len(spans) == 4


def test_the_calls_of_one_caller_are_recorded_while_somebody_asks_for_it(shop: Shop):
    demand = shop.weft("trace", "start", "--caller", "visitor", "-n", NAMESPACE, "--for", "1m")
    asked = ("trace", "list", "--service", "visitor.shop", "--tag", "http.url=http://paced:9080/now")

    def recorded() -> bool:
        with caller(shop.addresses()["proxy"]) as visitor:
            visitor.get("http://paced:9080/now")
        return any(one["spans"] == 2 for one in shop.json(*asked)["items"])

    until(recorded, f"none is recorded: {demand}", SECONDS)
