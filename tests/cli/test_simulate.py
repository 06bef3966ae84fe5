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
        yield running


def _record(running: Running, *calls: tuple[str, str, int], node: str = "reviews-v1.shop") -> None:
    pair = joined(running, "shop", "reviews")
    credentials = grpc.ssl_channel_credentials(running.state.bundle.read_bytes(), pair.key_pem, pair.pem)
    with grpc.secure_channel(running.addresses.xds, credentials) as channel:
        channel.stream_unary(METHOD)(iter([_message(node, calls)]), timeout=20)


def _message(node: str, calls: tuple[tuple[str, str, int], ...]) -> bytes:
    made = StreamAccessLogsMessage()
    made.identifier.node.id, made.identifier.log_name = node, LOG
    for source, path, count in calls:
        for _ in range(count):
            entry = made.http_logs.log_entry.add()
            entry.request.request_method = 1
            entry.request.authority, entry.request.path = "reviews:9080", path
            common = entry.common_properties
            common.custom_tags["port"] = "9080"
            common.tls_properties.peer_certificate_properties.subject_alt_name.add().uri = source
    return made.SerializeToString()


def simulated(policy: str, directory: Path, *more: str) -> "tuple[list[str], str]":
    (directory / "policy.yaml").write_text(policy)
    done = run_weft("authz", "simulate", "-f", str(directory / "policy.yaml"), *more)
    assert done.code == 0, done.err
    return done.out.splitlines(), done.err


def test_what_a_policy_would_deny_of_the_last_hour_is_told_with_the_callers(plane: Running, tmp_path: Path) -> None:
    out, err = simulated(POLICY, tmp_path)
    assert out[0] == "would deny 12 of 3,400 requests in the last hour"
    assert out[1].split("  ")[1] == "cluster.local/ns/shop/sa/batch GET reviews-v1.shop:9080/reviews/1"
    assert out[1].endswith("  12 times")
    assert out[2] == "would let pass 0 of 3,400 requests in the last hour"
    assert "7 calls to workloads that are gone are left out" in err


def test_what_hangs_on_what_was_not_recorded_is_undecided_and_the_rest_is_not(plane: Running, tmp_path: Path) -> None:
    out, _ = simulated(HEADERS, tmp_path)
    assert [line for line in out if not line.startswith(" ")] == [
        "would deny 0 of 3,400 requests in the last hour",
        "would let pass 0 of 3,400 requests in the last hour",
        "undecided: 12 of 3,400 requests in the last hour, because headers are not recorded",
    ]
    assert out[-1] == "  cluster.local/ns/shop/sa/batch GET reviews-v1.shop:9080/reviews/1  12 times"
    done = run_weft("authz", "simulate", "-f", str(tmp_path / "policy.yaml"), "-o", "json")
    (row,) = json.loads(done.out)["changes"]
    assert (row["before"], row["after"], row["undecided"]) == ("allowed", "allowed or denied", "headers")


def test_a_denial_that_hangs_on_nothing_else_is_told_beside_policies_that_do(plane: Running, tmp_path: Path) -> None:
    denying = POLICY.replace("stricter", "none").replace("  rules:", "  action: DENY\n  rules:")
    out, _ = simulated(f"{HEADERS}---{denying}", tmp_path)
    assert out[0] == "would deny 3,388 of 3,400 requests in the last hour"
    tokens = POLICY.replace("stricter", "by-token").replace(
        "    to: [", '    when: [{key: "request.auth.claims[a]", values: [b]}]\n    to: ['
    )
    out, _ = simulated(tokens.replace("  rules:", "  action: DENY\n  rules:"), tmp_path)
    assert out[2] == "undecided: 3,388 of 3,400 requests in the last hour, because tokens are not recorded"


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
