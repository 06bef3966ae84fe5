"""What the demo proves, each with its figures, each able to fail."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

from weft.demo.calls import Caller, caller, tcp_lines
from weft.demo.mesh import DemoMesh
from weft.demo.processes import Failed, until
from weft.demo.shop import HTTP_PORT, rules, shop_directory
from weft.demo.statistics import split_test
from weft.kit.value import Value

DRAWS = 600
SIGNIFICANCE = 1e-6
OUTAGE_SECONDS = 20
LEAD_SECONDS = 2
TIMER = 0.005
"""Seconds: Envoy counts a timer from the beginning of its event loop's turn, a moment before the request came."""
RATINGS = f"http://ratings:{HTTP_PORT}/ratings/1"
REVIEWS = f"http://reviews:{HTTP_PORT}/reviews/1"
CATALOG = f"http://catalog:{HTTP_PORT}"


class Shown(Value):
    """One proof and its figures."""

    claim: str
    figures: str


class Stage(Value):
    """What a proof works with."""

    mesh: DemoMesh
    visitor: Caller


def require(condition: bool, reason: str) -> None:
    """Raise ``Failed`` with the reason unless the condition holds."""
    if not condition:
        raise Failed(reason)


def identities(stage: Stage) -> Shown:
    """A request crosses two sidecars; the server is told who called, and the caller checks who answers."""
    answer = stage.visitor.get(f"{CATALOG}/whoami")
    require(answer.status == 200, f"the catalog answered {answer.status}: {answer.text}")
    told = json.loads(answer.text)["headers"].get("x-forwarded-client-cert", "")
    who = dict(part.partition("=")[::2] for part in told.split(";")).get("URI", "")
    caller_id, server_id = "/ns/shop/sa/visitor", "/ns/shop/sa/catalog"
    require(who.startswith("spiffe://") and who.endswith(caller_id), f"the catalog saw {told!r} as its caller")
    clusters = stage.mesh.weft("proxy", "config", "clusters", "visitor-1", "-o", "json")
    require(server_id in clusters, f"the visitor's sidecar does not ask the catalog for {server_id}")
    return Shown(claim="two sidecars, mutual TLS, the right SPIFFE ids", figures=f"{who} → …{server_id}")


def every_protocol(stage: Stage) -> Shown:
    """A page of the shop needs HTTP, gRPC and plain TCP, all of them through sidecars."""
    page = stage.visitor.get(f"http://web:{HTTP_PORT}/products/1")
    require(page.status == 200 and "<html" in page.text.lower(), f"the shop's page answered {page.status}")
    answers = tcp_lines(stage.mesh.addresses()["ledger"], "PING", "CHECK")
    require(answers[0].startswith("PONG ledger") and answers[1].startswith("OK"), f"the ledger answered {answers}")
    order = _orders_whoami(stage.mesh.addresses()["orders"])
    require("/sa/visitor" in order, f"the orders service saw {order!r} as its caller")
    return Shown(claim="HTTP, gRPC and TCP", figures="a page, an order's service and the ledger answered")


def _orders_whoami(address: str) -> str:
    """Ask the gRPC service who called, in a process of its own: this one starts processes and must not load grpc."""
    script = (
        "import sys, grpc, orders_pb2 as pb\n"
        "channel = grpc.insecure_channel(sys.argv[1])\n"
        "coding = pb.WhoAmIRequest.SerializeToString, pb.WhoAmIReply.FromString\n"
        "ask = channel.unary_unary('/shop.Orders/WhoAmI', *coding)\n"
        "print(ask(pb.WhoAmIRequest(), timeout=10, wait_for_ready=True).metadata['x-forwarded-client-cert'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, address],
        capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(shop_directory())},
    )  # fmt: skip
    require(done.returncode == 0, f"the orders service did not answer:\n{done.stderr[-500:]}")
    return done.stdout.strip()


def canary(stage: Stage) -> Shown:
    """A 90/10 split holds, by Pearson's chi-squared test.

    A right split fails once in a million runs; one that is 80/20 does not pass.
    """
    stage.mesh.weft("apply", "-f", str(rules("versions")), "-f", str(rules("canary")))
    stage.visitor.until_rule(REVIEWS, "canary")
    answers = stage.visitor.many(REVIEWS, DRAWS)
    versions = Counter(answer.version for answer in answers)
    require(set(versions) <= {"v1", "v3"}, f"versions outside the split answered: {dict(versions)}")
    result = split_test(versions["v1"], versions["v3"], 0.9)
    require(result.p >= SIGNIFICANCE, f"{dict(versions)} of {DRAWS} is no 90/10 split (p = {result.p:.2g})")
    figures = f"{result.first} : {result.second}, chi-squared {result.statistic:.2f}, p = {result.p:.2g}"
    return Shown(claim="a 90/10 canary was honoured", figures=figures)


def header_route(stage: Stage) -> Shown:
    """A header chooses the version."""
    answers = stage.visitor.many(REVIEWS, 50, {"end-user": "jason"})
    versions = Counter(answer.version for answer in answers)
    require(versions == {"v2": 50}, f"jason's requests went to {dict(versions)}")
    return Shown(claim="a header route was honoured", figures="50 of 50 requests of jason went to v2")


def retry(stage: Stage) -> Shown:
    """Two failing answers are tried again and the caller never sees them."""
    stage.mesh.weft("apply", "-f", str(rules("resilience")))
    stage.visitor.until_rule(RATINGS, "resilience")
    with knobs(stage, "ratings-1", fail_next=1), knobs(stage, "ratings-2", fail_next=1):
        answers = [stage.visitor.get(RATINGS) for _ in range(20)]
        left = _knob(stage, "ratings-1", "fail_next") + _knob(stage, "ratings-2", "fail_next")
    statuses = Counter(answer.status for answer in answers)
    require(statuses == {200: 20}, f"the caller saw {dict(statuses)}")
    require(left == 0, "the instances were never asked to fail")
    return Shown(claim="retries hid failures", figures="2 failures at the instances, 0 seen in 20 requests")


def timeout(stage: Stage) -> Shown:
    """A slow answer is cut off at 300 ms."""
    with knobs(stage, "ratings-1", delay_ms=2000), knobs(stage, "ratings-2", delay_ms=2000):
        answer = stage.visitor.get(RATINGS)
    require(answer.status == 504, f"a request of 2 s answered {answer.status}, not 504")
    require(0.3 - TIMER <= answer.seconds < 1.5, f"the 504 came after {answer.seconds:.2f} s")
    return Shown(claim="a timeout of 300 ms held", figures=f"504 after {answer.seconds * 1000:.0f} ms")


def fault(stage: Stage) -> Shown:
    """The caller's sidecar answers with an error, and holds requests back, on purpose."""
    stage.mesh.weft("apply", "-f", str(rules("fault")))
    stage.visitor.until_rule(RATINGS, "fault")
    aborted = stage.visitor.get(RATINGS, {"x-chaos": "abort"})
    require(aborted.status == 418 and not aborted.instance, f"the injected fault was {aborted.status}")
    delayed = stage.visitor.get(RATINGS, {"x-chaos": "delay"})
    require(delayed.status == 200 and delayed.seconds >= 0.4 - TIMER, f"the delay took {delayed.seconds:.2f} s")
    figures = f"418 from no instance; 200 after {delayed.seconds * 1000:.0f} ms"
    return Shown(claim="injected faults arrived", figures=figures)


def outlier(stage: Stage) -> Shown:
    """An instance that keeps failing is set aside; the other one serves all."""
    stage.mesh.weft("apply", "-f", str(rules("outlier")))
    stage.visitor.until_rule(RATINGS, "outlier")
    with knobs(stage, "ratings-1", error_rate=1.0):
        failures = 0
        for _ in range(40):
            failures += stage.visitor.get(RATINGS).status >= 500
        after = stage.visitor.many(RATINGS, 60)
    served = Counter(answer.instance for answer in after)
    require(failures >= 3, f"only {failures} requests failed: the instance was never called")
    require(all(answer.status == 200 for answer in after), f"requests still fail after the ejection: {dict(served)}")
    require(len(served) == 1, f"the failing instance is still called: {dict(served)}")
    stage.mesh.weft("delete", "-f", str(rules("outlier")))
    return Shown(claim="a failing endpoint was ejected", figures=f"{failures} failures, then 60 of 60 from the other")


def strict(stage: Stage) -> Shown:
    """A STRICT service answers its mesh and refuses plaintext."""
    direct = f"http://{stage.mesh.inbound_address('catalog-1')}/healthz"

    def refused() -> bool:
        with caller() as stranger:  # a new connection each time: the old policy may have let the last one in
            return stranger.get(direct).status == 0

    require(not refused(), "plaintext was refused before there was a policy (the default is PERMISSIVE)")
    stage.mesh.weft("apply", "-f", str(rules("strict")))
    until(refused, "plaintext is still answered", 10)
    meshed = stage.visitor.get(f"{CATALOG}/healthz")
    require(meshed.status == 200, f"a meshed caller got {meshed.status}")
    return Shown(claim="STRICT refused a plaintext caller", figures="plaintext: connection closed; meshed: 200")


def outage(stage: Stage) -> Shown:
    """The control plane dies by kill -9 under load, is away for 20 s, and comes back: nothing is lost."""
    load: subprocess.Popen[str] | None = None
    try:
        with stage.mesh.interrupts.held():
            load = _start_load(stage.mesh, LEAD_SECONDS + OUTAGE_SECONDS + LEAD_SECONDS)
        time.sleep(LEAD_SECONDS)
        stage.mesh.kill_control_plane()
        time.sleep(OUTAGE_SECONDS)
        stage.mesh.start_control_plane()
        output, _ = load.communicate(timeout=LEAD_SECONDS + 30)
    finally:
        if load is not None:
            load.kill()
    until(lambda: stage.mesh.synced(len(stage.mesh.workloads)), "not every sidecar came back", 30)
    summary = json.loads(output)
    sent, ok = summary["requests"], summary["outcomes"].get("ok", 0)
    require(sent > OUTAGE_SECONDS * 10, f"only {sent} requests were sent")
    require(ok == sent, f"{sent - ok} of {sent} requests were lost: {summary['outcomes']}")
    return Shown(
        claim="the control plane was killed for 20 s under load",
        figures=f"{sent} requests, 0 lost; all sidecars in sync again",
    )


def _start_load(mesh: DemoMesh, seconds: int) -> subprocess.Popen[str]:
    """An open loop of HTTP, gRPC and TCP requests as the visitor."""
    addresses = mesh.addresses()
    command = [
        sys.executable, str(shop_directory() / "loadgen.py"), "--duration", str(seconds),
        "--http", f"{CATALOG}/products", "--http-rate", "40", "--grpc", addresses["orders"], "--grpc-rate", "10",
        "--tcp", addresses["ledger"], "--tcp-rate", "10",
    ]  # fmt: skip
    environment = {**os.environ, "HTTP_PROXY": addresses["proxy"]}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


class knobs:  # noqa: N801 -- reads as a verb in `with`
    """Turn an instance's knobs at its own port, and back at the end."""

    def __init__(self, stage: Stage, workload: str, **settings: float) -> None:
        self._url = _knobs_url(stage, workload)
        self._settings = settings

    def __enter__(self) -> None:
        self._turn(self._settings)

    def __exit__(self, *_: object) -> None:
        self._turn(dict.fromkeys(self._settings, 0))

    def _turn(self, settings: dict[str, float]) -> None:
        with caller() as direct:
            answer = direct.post(self._url, settings)
        require(answer.status == 200, f"the knobs at {self._url} answered {answer.status}: {answer.text}")


def _knobs_url(stage: Stage, workload: str) -> str:
    return f"http://127.0.0.1:{stage.mesh.app_ports[workload]}/knobs"


def _knob(stage: Stage, workload: str, name: str) -> int:
    with caller() as direct:
        return int(json.loads(direct.get(_knobs_url(stage, workload)).text)[name])


PROOFS: tuple[Callable[[Stage], Shown], ...] = (
    identities, every_protocol, canary, header_route, retry, timeout, fault, outlier, strict, outage,
)  # fmt: skip
