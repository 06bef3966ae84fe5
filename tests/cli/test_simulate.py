"""``weft authz simulate`` against what the mesh recorded: before a policy is applied, whom it would hit."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.cli.conftest import Running, joined, run_weft, serving
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.observe.access_logs import METHOD
from weft.observe.calls import LOG

WEB, BATCH = (f"spiffe://cluster.local/ns/shop/sa/{name}" for name in ("web", "batch"))
WORLD = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1, namespace: shop}
spec: {address: 127.0.0.1, labels: {app: reviews, security.istio.io/tlsMode: istio}, serviceAccount: reviews}
"""
WORLD += """---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: outer, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: edge, namespace: shop}
spec:
  address: 127.0.0.1
  labels: {istio: edge, gateway.networking.k8s.io/gateway-name: outer, security.istio.io/tlsMode: disabled}
  serviceAccount: edge
"""
AT_EDGE = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: at-edge, namespace: shop}
spec:"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: stricter, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {paths: ["/reviews/*"]}}]
"""
TOKENS = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  jwtRules: [{issuer: "https://idp.example.com", jwks: '{"keys":[]}'}]
"""
HEADERS = POLICY.replace("stricter", "by-header") + '  - when: [{key: "request.headers[x-role]", values: [admin]}]\n'


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("world")
    (directory / "world.yaml").write_text(WORLD)
    with serving(tmp_path_factory.mktemp("state")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_STATE", str(running.state.root))
        assert run_weft("apply", "-f", str(directory / "world.yaml")).code == 0
        _record(running, (WEB, "/reviews/1", 3388), (BATCH, "/reviews/1", 12))
        _record(running, (WEB, "/reviews/1", 7), node="gone-v1.shop")
        _record(running, ("203.0.113.7", "/reviews/1", 60), ("198.51.100.1", "/ratings/1", 40), node="edge.shop")
        yield running


def _record(running: Running, *calls: tuple[str, str, int], node: str = "reviews-v1.shop") -> None:
    pair = joined(running, "shop", node.partition("-")[0].partition(".")[0])
    credentials = grpc.ssl_channel_credentials(running.state.bundle.read_bytes(), pair.key_pem, pair.pem)
    with grpc.secure_channel(running.addresses.xds, credentials) as channel:
        channel.stream_unary(METHOD)(iter([_message(node, calls)]), timeout=20)


def _message(node: str, calls: tuple[tuple[str, str, int], ...]) -> bytes:
    """Callers of a gateway are addresses."""
    made = StreamAccessLogsMessage()
    made.identifier.node.id, made.identifier.log_name = node, LOG
    edge = node == "edge.shop"
    for source, path, count in calls:
        for _ in range(count):
            entry = made.http_logs.log_entry.add()
            entry.request.request_method = 1
            entry.request.authority, entry.request.path = "shop.example.com" if edge else "reviews:9080", path
            common = entry.common_properties
            common.custom_tags["port"] = "80" if edge else "9080"
            if edge:
                common.downstream_remote_address.socket_address.address = source
                common.downstream_direct_remote_address.socket_address.address = "127.0.0.1"
            else:
                common.tls_properties.peer_certificate_properties.subject_alt_name.add().uri = source
    return made.SerializeToString()


def simulated(policy: str, directory: Path, *more: str) -> "tuple[list[str], str]":
    (directory / "policy.yaml").write_text(policy)
    done = run_weft("authz", "simulate", "-f", str(directory / "policy.yaml"), *more)
    assert done.code == 0, done.err
    return done.out.splitlines(), done.err


def test_what_a_policy_would_deny_of_the_last_hour_is_told_with_the_callers(plane: Running, tmp_path: Path) -> None:
    out, err = simulated(POLICY, tmp_path)
    assert out[0] == "would deny 12 of 3,500 requests in the last hour"
    assert out[1].split("  ")[1] == "cluster.local/ns/shop/sa/batch GET reviews-v1.shop:9080/reviews/1"
    assert out[1].endswith("  12 times")
    assert out[2] == "would let pass 0 of 3,500 requests in the last hour"
    assert "7 calls to workloads that are gone are left out" in err


def test_what_hangs_on_what_was_not_recorded_is_undecided_and_the_rest_is_not(plane: Running, tmp_path: Path) -> None:
    out, _ = simulated(HEADERS, tmp_path)
    assert [line for line in out if not line.startswith(" ")] == [
        "would deny 0 of 3,500 requests in the last hour",
        "would let pass 0 of 3,500 requests in the last hour",
        "undecided: 12 of 3,500 requests in the last hour, because headers are not recorded",
    ]
    assert out[-1] == "  cluster.local/ns/shop/sa/batch GET reviews-v1.shop:9080/reviews/1  12 times"
    done = run_weft("authz", "simulate", "-f", str(tmp_path / "policy.yaml"), "-o", "json")
    (row,) = json.loads(done.out)["changes"]
    assert (row["before"], row["after"], row["undecided"]) == ("allowed", "allowed or denied", "headers")


def test_a_denial_that_hangs_on_nothing_else_is_told_beside_policies_that_do(plane: Running, tmp_path: Path) -> None:
    denying = POLICY.replace("stricter", "none").replace("  rules:", "  action: DENY\n  rules:")
    out, _ = simulated(f"{HEADERS}---{denying}", tmp_path)
    assert out[0] == "would deny 3,388 of 3,500 requests in the last hour"
    tokens = POLICY.replace("stricter", "by-token").replace(
        "    to: [", '    when: [{key: "request.auth.claims[a]", values: [b]}]\n    to: ['
    )
    tokens = tokens.replace("  rules:", "  action: DENY\n  rules:")
    assert len(simulated(tokens, tmp_path)[0]) == 2, "nobody looks at tokens, so there are no claims"
    out, _ = simulated(f"{tokens}---{TOKENS}", tmp_path)
    assert out[2] == "undecided: 3,400 of 3,500 requests in the last hour, because tokens are not recorded"


def test_calls_at_a_gateway_are_judged_by_what_holds_there(plane: Running, tmp_path: Path) -> None:
    by_address = (
        AT_EDGE
        + """
  selector: {matchLabels: {istio: edge}}
  action: DENY
  rules: [{from: [{source: {remoteIpBlocks: [203.0.113.0/24]}}], to: [{operation: {hosts: [shop.example.com]}}]}]
"""
    )
    denied = "203.0.113.7 GET shop.example.com/reviews/1 at edge.shop:80  shop/at-edge rule 0  60 times"
    out, _ = simulated(by_address, tmp_path)
    assert (out[0], out[1].strip()) == ("would deny 60 of 3,500 requests in the last hour", denied)
    attached = (
        AT_EDGE
        + """
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: outer}]
  rules: [{to: [{operation: {ports: ["80"], paths: ["/ratings/*"]}}]}]
"""
    )
    out, _ = simulated(attached, tmp_path)
    assert out[0] == "would deny 60 of 3,500 requests in the last hour"
    mesh_wide = (
        AT_EDGE.replace("namespace: shop", "namespace: istio-system")
        + """
  rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]
"""
    )
    out, _ = simulated(mesh_wide, tmp_path)
    assert out[0] == "would deny 3,500 of 3,500 requests in the last hour", "nobody looks at tokens anywhere"


def test_who_may_call_through_a_gateway_can_be_asked(plane: Running, tmp_path: Path) -> None:
    policy = (
        AT_EDGE
        + """
  selector: {matchLabels: {istio: edge}}
  rules: [{from: [{source: {remoteIpBlocks: [203.0.113.0/24]}}], to: [{operation: {hosts: [shop.example.com]}}]}]
"""
    )
    (tmp_path / "all.yaml").write_text(f"{WORLD}---{policy}")

    def check(*words: str) -> "tuple[int, str]":
        done = run_weft("authz", "check", "-f", str(tmp_path / "all.yaml"), "-n", "shop", *words)
        return done.code, done.out + done.err

    host = ("-H", "host: shop.example.com")
    assert check("-", "edge:80", *host, "--remote-ip", "203.0.113.7")[0] == 0
    assert check("-", "edge:80", *host)[0] == 1
    assert check("-", "edge", "--remote-ip", "203.0.113.7")[0] == 1
    assert "the gateway edge.shop does not open port 81" in check("-", "edge:81")[1]
    assert "is no address" in check("-", "edge:80", "--remote-ip", "here")[1]


def test_less_than_an_hour_can_be_asked_for_and_more_is_not_kept(plane: Running, tmp_path: Path) -> None:
    assert simulated(POLICY, tmp_path, "--since", "10m")[0][0].endswith("requests in the last 10m")
    refused = run_weft("authz", "simulate", "-f", str(tmp_path / "policy.yaml"), "--since", "2h")
    assert "an hour at most" in refused.err


def test_the_calls_of_a_namespace_are_for_who_may_look_into_it(plane: Running, tmp_path: Path) -> None:
    for namespace, count in (("shop", 3400), ("other", 0)):
        secret = tmp_path / namespace
        made = run_weft(
            "auth", "token", "create", "--group", "system:masters", "-n", namespace, "--to-file", str(secret)
        )
        assert made.code == 0, made.err
        with_token = _calls(plane, secret.read_text().strip())
        assert sum(one["count"] for one in with_token if one["to"].startswith("reviews-v1")) == count


def _calls(plane: Running, token: str) -> "list[dict[str, int | str]]":
    import ssl

    import httpx2

    trust = ssl.create_default_context(cafile=plane.state.bundle)
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx2.get(f"{plane.addresses.api}/weft/v1/calls", headers=headers, verify=trust, trust_env=False)
    found = json.loads(answer.content)["items"]
    assert isinstance(found, list)
    return found
