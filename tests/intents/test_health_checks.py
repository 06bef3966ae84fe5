"""Health checks that callers' sidecars make: who is asked, as whom, who is left out and comes back, and that a check
that is put on costs no request."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import always, ask, grpc_service, mesh_of, policy
from weft.compiler.names import statistics_name
from weft.model.mesh import Mesh

pytestmark = pytest.mark.live
PATH = "/healthz"
WEB = "URI=spiffe://cluster.local/ns/shop/sa/web"
REST = "  interval: 1s\n  timeout: 2s\n  unhealthyThreshold: 2\n  healthyThreshold: 1\n"
CHECK = policy(
    "HealthCheck",
    f"  targetRefs: [{{kind: Service, name: reviews}}]\n{REST}"
    f"  http: {{path: {PATH}, headers: {{x-call: check, x-percent: '100%'}}}}",
    "reviews",
)
EVERYBODY = {"reviews-v1", "reviews-v2", "reviews-v3"}
NO_RETRIES = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec: {hosts: [reviews], http: [{retries: {attempts: 0}, route: [{destination: {host: reviews}}]}]}
"""


def cluster(host: str = "reviews", port: int = 9080) -> str:
    return f"cluster.{statistics_name(f'outbound|{port}||{host}.shop.svc.cluster.local')}"


def healthy(mini: MiniMesh, name: str) -> int:
    return mini.client.statistic(f"{name}.membership_healthy")


def answering(mini: MiniMesh, times: int = 12) -> set[str]:
    """Who answers; nobody else may."""
    found = [ask(mini) for _ in range(times)]
    assert {got.status for got in found} == {200}
    return {got.headers["x-app"] for got in found}


@contextlib.contextmanager
def failing(mini: MiniMesh, *names: str, path: str = PATH) -> Iterator[None]:
    """Until the block ends, these applications answer the path with 503."""
    there = {(name, path) for name in names}
    mini.notes.failing.update(there)
    try:
        yield
    finally:
        mini.notes.failing.difference_update(there)


def calls_during(mini: MiniMesh, change: Callable[[], Any]) -> list[int]:
    """The statuses of calls that are made, four at once, before, while and after something changes."""
    over = threading.Event()

    def call() -> list[int]:
        found = [ask(mini).status for _ in range(5)]
        while not over.is_set():
            found.append(ask(mini).status)
        return found + [ask(mini).status for _ in range(5)]

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(call) for _ in range(4)]
        try:
            change()
        finally:
            over.set()
        return [status for one in running for status in one.result()]


def test_a_check_is_put_on_and_taken_off_under_calls_and_none_is_lost(mini: MiniMesh) -> None:
    mini.serve(mesh_of(NO_RETRIES))
    always(lambda: ask(mini).status == 200)

    def change() -> None:
        for documents in (CHECK + NO_RETRIES, NO_RETRIES, CHECK + NO_RETRIES):
            mini.serve(mesh_of(documents))

    found = calls_during(mini, change)
    assert len(found) > 40
    assert set(found) == {200}


def test_an_endpoint_whose_path_fails_is_left_out_without_a_lost_call_and_comes_back(mini: MiniMesh) -> None:
    mini.serve(mesh_of(CHECK + NO_RETRIES))
    until(lambda: answering(mini) == EVERYBODY)
    with failing(mini, "reviews-v2"):
        until(lambda: healthy(mini, cluster()) == 2, 6)
        assert answering(mini, 30) == EVERYBODY - {"reviews-v2"}
    until(lambda: healthy(mini, cluster()) == 3, 6)
    until(lambda: answering(mini) == EVERYBODY)


def test_a_check_comes_as_the_caller_and_for_the_service(mini: MiniMesh) -> None:
    mini.serve(mesh_of(CHECK))
    until(lambda: any(WEB in one.headers["x-forwarded-client-cert"] for one in mini.notes.of("check")))
    seen = mini.notes.of("check")[-1]
    assert (seen.path, seen.headers["host"]) == (PATH, "reviews.shop.svc.cluster.local")
    assert seen.headers["user-agent"] == "Envoy/HC"
    assert seen.headers["x-percent"] == "100%"


def _without(mesh: Mesh, name: str) -> Mesh:
    """The mesh after the agent of a workload has said that its application is ill."""
    ill = (replace(one, healthy=False) if one.name == name else one for one in mesh.workloads)
    return replace(mesh, workloads=tuple(ill))


def test_an_endpoint_that_its_agent_calls_ill_is_not_called_though_its_path_is_well(mini: MiniMesh) -> None:
    mini.serve(mesh_of(CHECK))
    until(lambda: answering(mini) == EVERYBODY)
    left = mesh_of(CHECK)
    mini.serve(_without(left, "reviews-v3"))
    until(lambda: mini.client.statistic(f"{cluster()}.membership_total") == 2, 3)
    assert answering(mini, 30) == EVERYBODY - {"reviews-v3"}
    mini.serve(left)
    until(lambda: answering(mini) == EVERYBODY)


@pytest.mark.parametrize(("least", "status"), [(0, 503), (50, 200)])
def test_when_all_fail_they_are_called_only_if_the_rule_says_so(least: int, status: int, mini: MiniMesh) -> None:
    rule = (
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews, namespace: shop}\n"
        f"spec: {{host: reviews, trafficPolicy: {{outlierDetection: {{minHealthPercent: {least}}}}}}}\n"
    )
    with failing(mini, *EVERYBODY):
        mini.serve(mesh_of(CHECK + rule + NO_RETRIES))
        until(lambda: healthy(mini, cluster()) == 0, 6)
        assert {ask(mini).status for _ in range(6)} == {status}


def test_a_check_that_a_policy_denies_is_a_failed_one(mini: MiniMesh) -> None:
    denied = (
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: closed, namespace: shop}\n"
        "spec: {selector: {matchLabels: {version: v1}}, action: DENY,"
        " rules: [{to: [{operation: {paths: [/healthz]}}]}]}\n"
    )
    mini.serve(mesh_of(CHECK + denied, may={"W0160", "W0172"}))
    until(lambda: answering(mini) == EVERYBODY - {"reviews-v1"}, 6)


BYTES = """
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: tcp, port: 7000, targetPort: 9080}]}
---
"""


def test_bytes_are_sent_and_waited_for(mini: MiniMesh) -> None:
    asking = r'send: "GET /tcp HTTP/1.1\r\nhost: a\r\n\r\n", receive: ["HTTP/1.1 200", "\r\n\r\n"]'
    check = policy("HealthCheck", f"  targetRefs: [{{kind: Service, name: bytes}}]\n{REST}  tcp: {{{asking}}}", "bytes")
    mini.serve(mesh_of(BYTES + check))
    until(lambda: healthy(mini, cluster("bytes", 7000)) == 3)
    with failing(mini, "reviews-v1", path="/tcp"):
        until(lambda: healthy(mini, cluster("bytes", 7000)) == 2, 10)
    until(lambda: healthy(mini, cluster("bytes", 7000)) == 3, 6)


GREETER = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [greeter.shop.svc.cluster.local]
  ports: [{number: 9000, name: grpc, protocol: GRPC}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{address: 127.0.0.9}]
---
"""
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"


def test_grpc_is_asked_by_its_own_protocol(mini: MiniMesh) -> None:
    asked: list[bytes] = []
    answers = [_SERVING]

    def check(request: bytes, _: grpc.ServicerContext) -> bytes:
        asked.append(request)
        return answers[0]

    handler = grpc.unary_unary_rpc_method_handler(check)
    spec = (
        f"  targetRefs: [{{kind: ServiceEntry, name: greeter, sectionName: grpc}}]\n{REST}"
        "  grpc: {service: shop.Greeter, authority: greeter.example.com}"
    )
    with grpc_service(mini, "grpc.health.v1.Health", Check=handler):
        mini.serve(mesh_of(GREETER + policy("HealthCheck", spec, "greeter")))
        until(lambda: healthy(mini, cluster("greeter", 9000)) == 1, 6)
        assert asked[0] == b"\x0a\x0cshop.Greeter"
        answers[0] = _NOT_SERVING
        until(lambda: healthy(mini, cluster("greeter", 9000)) == 0, 6)
        answers[0] = _SERVING
        until(lambda: healthy(mini, cluster("greeter", 9000)) == 1, 6)
