"""A real mesh under watch: dashboards are answered by weft and by a real Prometheus that scrapes every endpoint, an
objective burns, and its alert arrives."""

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio
import yaml

from tests.agent.rig import Agent, running
from tests.alerting.test_sender import Receiver, receiver
from tests.cli.conftest import Result, Running, run_weft, serving
from tests.monitoring.test_grafana import plain
from tests.ports import held_port
from weft.agent.config import AgentConfig, GatewayConfig, Restart, Scraped, parse_port
from weft.monitoring.grafana import DASHBOARDS
from weft.monitoring.rules import GROUPS, Recording

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.live]
PROMETHEUS = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="Debian's prometheus is not installed")
SERVER = """
import http.server, os, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): pass
class Numbers(Handler):
    def do_GET(self):
        body = b"# HELP shop_orders_total Orders.\\n# TYPE shop_orders_total counter\\nshop_orders_total 3\\n"
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", NUMBERS), Numbers).serve_forever).start()
print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SILENT = (
    "TCP",  # nobody speaks bytes here
    "Plaintext",  # everybody proves who they are
    "Refusals",
    "Burn rates over an hour",
    "Budget left",
)


class Ports(NamedTuple):
    """Where the sidecar and the gateway are scraped, and the gateway is called."""

    sidecar: int
    gateway: int
    edge: int
    numbers: int


class Watched(NamedTuple):
    """A mesh with a workload that calls itself, a gateway before it, a place for alerts, and a Prometheus."""

    plane: Running
    agent: Agent
    alerts: Receiver
    ports: Ports
    prometheus: str

    async def weft(self, *arguments: str) -> Result:
        return await asyncio.to_thread(run_weft, *arguments)

    async def api(self, path: str, **params: str) -> Any:
        return await asyncio.to_thread(self._get, path, params)

    def _get(self, path: str, params: dict[str, str]) -> Any:
        return asked(self.plane, path, params)

    async def ask(self, expression: str) -> int:
        """How many series weft answers with."""
        answer = await self.api("/prometheus/api/v1/query", query=expression)
        assert answer["status"] == "success", (expression, answer)
        return len(answer["data"]["result"])

    async def ask_prometheus(self, expression: str) -> int:
        """How many series the real one answers with."""
        url = f"{self.prometheus}/api/v1/query"
        try:
            answer = (await asyncio.to_thread(httpx2.get, url, params={"query": expression}, timeout=30)).json()
        except (httpx2.TransportError, ValueError):
            return 0  # it is not ready yet
        assert answer["status"] == "success", (expression, answer)
        return len(answer["data"]["result"])


def asked(plane: Running, path: str, params: dict[str, str]) -> Any:
    context = ssl.create_default_context(cafile=str(plane.state.bundle))
    token = plane.state.admin_token.read_text().strip()
    with httpx2.Client(verify=context, timeout=30) as client:
        answer = client.get(f"{plane.addresses.api}{path}", params=params, headers={"Authorization": f"Bearer {token}"})
        return answer.json() if "json" in answer.headers["content-type"] else answer.text


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    root = tmp_path_factory.mktemp("watched")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        state = root / "state"
        patch.setenv("WEFT_STATE", str(state))
        opened = serving(state, alert_networks=(ip_network("127.0.0.0/8"),))
        plane = await asyncio.to_thread(opened.__enter__)
        try:
            ports = Ports(*(stack.enter_context(held_port()) for _ in Ports._fields))
            async with receiver() as alerts, workload(plane, root, ports) as agent, edge(plane, root, ports):
                with ExitStack() as servers:
                    address = await asyncio.to_thread(servers.enter_context, _prometheus(plane, ports, root))
                    try:
                        yield Watched(plane, agent, alerts, ports, address)
                    finally:
                        await asyncio.to_thread(servers.close)
        finally:
            await asyncio.to_thread(opened.__exit__, None, None, None)


async def _config(plane: Running, root: Path, service: str, name: str, **more: Any) -> AgentConfig:
    token = await asyncio.to_thread(run_weft, "token", "create", "-n", "shop", "--service", service)
    assert token.code == 0, token.err
    (root / f"{name}.token").write_text(token.out)
    return AgentConfig(
        service=service,
        name=name,
        state_dir=root,
        token_file=root / f"{name}.token",
        join_url=plane.addresses.agents,
        ca_file=plane.state.bundle,
        drain_seconds=0.1,
        **more,
    )


@asynccontextmanager
async def workload(plane: Running, root: Path, ports: Ports) -> AsyncIterator[Agent]:
    config = await _config(
        plane,
        root,
        "reviews",
        "reviews-1",
        command=(sys.executable, "-c", SERVER.replace("NUMBERS", str(ports.numbers))),
        ports=(parse_port("9080:auto"),),
        restart=Restart.NEVER,
        scrape_port=ports.sidecar,
        metrics=Scraped(port=ports.numbers),
    )
    async with running(config) as agent:
        await agent.says("is registered")
        deadline = time.monotonic() + 30
        while not await agent.answers():
            assert time.monotonic() < deadline, agent.said
            await asyncio.sleep(0.1)
        yield agent
        await agent.stop()


@asynccontextmanager
async def edge(plane: Running, root: Path, ports: Ports) -> AsyncIterator[Agent]:
    file = root / "edge.yaml"
    file.write_text(EDGE.replace("PORT", str(ports.edge)))
    assert (await asyncio.to_thread(run_weft, "apply", "-n", "shop", "-f", str(file))).code == 0
    config = await _config(
        plane,
        root,
        "ingress",
        "ingress",
        command=(),
        http_proxy=False,
        labels=(("istio", "ingress"),),
        scrape_port=ports.gateway,
        gateway=GatewayConfig(bind="127.0.0.1", health_port=0),
    )
    async with running(config) as agent:
        await agent.says("the gateway ingress is ready")
        yield agent
        await agent.stop()


EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: PORT, name: http, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - route: [{destination: {host: reviews, port: {number: 9080}}}]
"""


class _prometheus:  # noqa: N801  a context manager, used as a function
    """A real Prometheus that scrapes the control plane and the sidecar, with the rules of weft; "" without one."""

    def __init__(self, plane: Running, ports: Ports, root: Path) -> None:
        self._plane, self._ports, self._root = plane, ports, root
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    def __enter__(self) -> str:
        if PROMETHEUS is None:
            return ""
        configuration = self._root / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(self._configuration()))
        address = f"127.0.0.1:{self._held.enter_context(held_port())}"
        options = [f"--config.file={configuration}", f"--storage.tsdb.path={self._root / 'tsdb'}"]
        command = [PROMETHEUS, *options, f"--web.listen-address={address}"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return f"http://{address}"

    def _configuration(self) -> dict[str, Any]:
        rules = self._root / "weft.rules.yaml"
        rules.write_text(run_weft("rules", "export").out)
        state, api = self._plane.state, self._plane.addresses.api.removeprefix("https://")
        weft = {
            "job_name": "weft",
            "scheme": "https",
            "tls_config": {"ca_file": str(state.bundle)},
            "authorization": {"credentials_file": str(state.admin_token)},
            "static_configs": [{"targets": [api]}],
        }
        proxies = [
            {
                "job_name": name,
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
            for name, port in (("sidecars", self._ports.sidecar), ("gateways", self._ports.gateway))
        ]
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        return {"global": every, "rule_files": [str(rules)], "scrape_configs": [weft, *proxies]}

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        self._held.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def called(watched: Watched) -> Watched:
    """Calls that succeed and fail, until everybody has counted some of them twice."""
    patience = time.monotonic() + 60

    async def counted() -> bool:
        for path in ("/", "/", "/", "/fail"):
            await watched.agent.call(f"http://reviews:9080{path}")
        await asyncio.to_thread(httpx2.get, f"http://127.0.0.1:{watched.ports.edge}/", timeout=10)
        grown = 'count(increase(istio_requests_total{response_code="500"}[1m]) > 0)'
        if not await watched.ask(grown) or not await watched.ask("rate(weft_xds_pushes_total[1m])"):
            return False
        return not watched.prometheus or bool(await watched.ask_prometheus(grown))

    await until(counted, "everybody counts", patience - time.monotonic())
    return watched


def _expressions() -> list[tuple[str, str]]:
    return [
        (f"{board.title}: {row.title}: {panel.title}", query.expression)
        for board in DASHBOARDS
        for row in board.rows
        for panel in row.panels
        for query in panel.queries
    ]


async def test_every_expression_of_every_dashboard_is_answered_with_series(called: Watched) -> None:
    empty = []
    for name, expression in _expressions():
        if not await called.ask(plain(expression)) and not any(one in name for one in SILENT):
            empty.append((name, expression))
    assert empty == []


@needs_prometheus
async def test_a_real_prometheus_answers_every_expression_too(called: Watched) -> None:
    empty = []
    for name, expression in _expressions():
        if not await called.ask_prometheus(plain(expression)) and not any(one in name for one in SILENT):
            empty.append((name, expression))
    assert empty == []


@needs_prometheus
async def test_a_control_plane_with_a_prometheus_of_its_own_asks_it_for_everything(
    called: Watched, tmp_path: Path
) -> None:
    """This one has no workloads and keeps nothing: what it knows of traffic is what was scraped of others'."""

    def ask() -> tuple[Any, ...]:
        with serving(tmp_path / "state", prometheus_url=called.prometheus) as plane:
            window = {"window": "300"}
            return tuple(
                asked(plane, path, params)
                for path, params in (
                    ("/weft/v1/stat", window),
                    ("/weft/v1/graph", window),
                    ("/prometheus/api/v1/query", {"query": "sum(istio_requests_total)"}),
                )
            )

    stat, graph, query = await asyncio.to_thread(ask)
    (row,) = [one for one in stat["items"] if one["name"] == "reviews"]
    assert row["requests"] > row["errors"] > 0
    assert row["latency"]["p99"] >= row["latency"]["p50"] > 0
    lines = {(one["source"].rpartition("/")[2], one["target"].rpartition("/")[2]): one for one in graph["edges"]}
    assert set(lines) == {("ingress", "reviews"), ("reviews", "reviews")}
    assert {one["mutualTls"] for one in lines.values()} == {1.0}
    assert query["data"]["result"]


@needs_prometheus
async def test_a_real_prometheus_scrapes_every_endpoint_and_evaluates_every_rule(called: Watched) -> None:
    wanted = {(name, "up", "") for name in ("weft", "sidecars", "gateways")}
    found: set[tuple[str, str, str]] = set()

    async def all_up() -> bool:
        """On a busy machine one of those that are made each second may be too late."""
        targets = (await asyncio.to_thread(httpx2.get, f"{called.prometheus}/api/v1/targets", timeout=30)).json()
        found.clear()
        found.update((one["scrapePool"], one["health"], one["lastError"]) for one in targets["data"]["activeTargets"])
        return found == wanted

    await until(all_up, "every endpoint is scraped")
    assert await called.ask_prometheus('shop_orders_total{job="sidecars"}'), "the application's own come along"
    assert await called.ask_prometheus('istio_requests_total{job="gateways",source_workload="ingress"}')
    rules = (await asyncio.to_thread(httpx2.get, f"{called.prometheus}/api/v1/rules", timeout=30)).json()
    evaluated = [rule for group in rules["data"]["groups"] for rule in group["rules"]]
    assert len(evaluated) == sum(len(group.rules) for group in GROUPS)
    assert {rule["health"] for rule in evaluated} == {"ok"}
    for rule in (one for group in GROUPS for one in group.rules if isinstance(one, Recording)):

        async def recorded(name: str = rule.name) -> int:
            return await called.ask_prometheus(name)

        await until(recorded, f"{rule.name} is recorded")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_has_no_complaint_of_sidecars_and_gateways(called: Watched) -> None:
    for port in (called.ports.sidecar, called.ports.gateway):
        url = f"http://127.0.0.1:{port}/stats/prometheus"
        text = (await asyncio.to_thread(httpx2.get, url, timeout=10)).text
        assert "istio_requests_total" in text
        done = await asyncio.to_thread(
            subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (done.stdout + done.stderr).replace(ISTIOS, "") == ""


ISTIOS = 'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"\n'
"""The name is Istio's."""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_has_no_complaint_of_the_control_planes_own_numbers(called: Watched) -> None:
    text = await called.api("/metrics")
    for name in (
        "weft_xds_pushes_total",
        "weft_xds_convergence_seconds_bucket",
        "weft_ca_requests_total",
        "weft_store_file_bytes",
        "weft_registry_workloads",
        "weft_event_loop_lag_seconds_bucket",
    ):
        assert name in text
    assert 'weft_ca_requests_total{outcome="allowed",way="join"} 2' in text
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""


async def test_an_objective_burns_and_its_alert_arrives_and_ends(called: Watched, tmp_path: Path) -> None:
    documents = [
        yaml.safe_load((await called.weft("slo", "create", "reviews", "-n", "shop", *_PROMISE, "--dry-run")).out),
        {
            "apiVersion": "openslo/v1",
            "kind": "AlertNotificationTarget",
            "metadata": {
                "name": "hook",
                "annotations": {"weft.dev/url": f"http://127.0.0.1:{called.alerts.port}/alerts"},
            },
            "spec": {"target": "webhook"},
        },
        {
            "apiVersion": "openslo/v1",
            "kind": "AlertPolicy",
            "metadata": {"name": "at-once"},
            "spec": {
                "alertWhenBreaching": True,
                "alertWhenResolved": True,
                "conditions": [
                    {
                        "metadata": {"name": "any"},
                        "spec": {"severity": "page", "condition": {"threshold": 2, "lookbackWindow": "1h"}},
                    }
                ],
                "notificationTargets": [{"targetRef": "hook"}],
            },
        },
    ]
    file = tmp_path / "slo.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    applied = await called.weft("apply", "-n", "shop", "-f", str(file))
    assert applied.code == 0, applied.err

    async def told() -> bool:
        await called.agent.call("http://reviews:9080/fail")
        return bool(called.alerts.requests)

    await until(told, "the alert arrives")
    alert = called.alerts.bodies()[0]
    assert (alert["status"], alert["kind"], alert["severity"]) == ("firing", "slo", "page")
    assert (alert["namespace"], alert["service"]) == ("shop", "reviews")
    (standing,) = json.loads((await called.weft("slo", "-n", "shop", "-o", "json")).out)["items"]
    assert standing["state"] == "missed"
    assert standing["bad"] > 0
    edges = json.loads((await called.weft("edges", "-n", "shop", "--window", "15m", "-o", "json")).out)["items"]
    assert standing["calls"] <= sum(one["requests"] for one in edges)
    checked = await called.weft("check", "-o", "short")
    assert "alert-slo" in checked.out
    assert checked.code == 1
    assert (await called.weft("delete", "slos.openslo", "reviews-availability", "-n", "shop")).code == 0

    async def ended() -> bool:
        return called.alerts.bodies()[-1]["status"] == "resolved"

    await until(ended, "the end is told")
    assert [one["status"] for one in called.alerts.bodies()] == ["firing", "resolved"]


_PROMISE = ("--availability", "99", "--window", "1d", "--alert", "at-once")
