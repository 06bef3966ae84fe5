"""``weft authz``: who may call whom, by files alone."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Weft, run_weft

WORLD = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}, {name: tcp-raw, port: 7000}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1, namespace: shop}
spec: {address: 127.0.0.1, labels: {app: reviews}, serviceAccount: reviews}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1, namespace: shop}
spec: {address: 127.0.0.1, labels: {app: web}, serviceAccount: web}
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {paths: ["/reviews/*"]}}]
  - when: [{key: "request.auth.claims[role]", values: [admin]}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> list[str]:
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return ["-n", "shop", "-f", str(tmp_path / "world.yaml"), "-f", str(tmp_path / "policy.yaml")]


def test_the_policy_that_decides_is_told_with_its_line(weft: Weft, shop: list[str]) -> None:
    told = weft("authz", "check", "web-1", "reviews", "GET", "/reviews/1", *shop)
    assert told.code == 0
    assert "allowed  cluster.local/ns/shop/sa/web -> reviews-v1.shop:9080" in told.out
    assert "ALLOW AuthorizationPolicy shop/only-web, rule 0" in told.out
    assert "policy.yaml:8)" in told.out


def test_what_is_denied_ends_with_1_and_says_why(weft: Weft, shop: list[str]) -> None:
    told = weft("authz", "check", "web-1", "reviews:9080", "GET", "/admin", *shop, "-o", "json")
    assert told.code == 1
    (answer,) = json.loads(told.out)
    assert (answer["outcome"], answer["why"]) == ("denied", "there are ALLOW policies (only-web) and none matches")


def test_paths_are_judged_in_their_normal_form(weft: Weft, shop: list[str]) -> None:
    assert weft("authz", "check", "web-1", "reviews", "GET", "/x/..//reviews/%31", *shop).code == 0
    assert "escaped slashes" in weft("authz", "check", "web-1", "reviews", "GET", "/reviews%2f1", *shop).out


def test_claims_of_a_token_and_callers_without_a_certificate_can_be_imagined(weft: Weft, shop: list[str]) -> None:
    claims = ["--claims", '{"role": ["user", "admin"]}']
    assert weft("authz", "check", "-", "reviews", "DELETE", "/", *shop, *claims).code == 0
    assert weft("authz", "check", "-", "reviews", "DELETE", "/", *shop).code == 1
    assert weft("authz", "check", "-", "reviews", "--claims", "nonsense", *shop).code == 2


def test_a_port_of_bytes_has_no_paths(weft: Weft, shop: list[str]) -> None:
    assert weft("authz", "check", "web-1", "reviews:7000", *shop).code == 1


def test_a_name_that_nothing_has_is_a_mistake_with_a_hint(weft: Weft, shop: list[str]) -> None:
    told = weft("authz", "check", "nobody", "reviews", *shop)
    assert told.code == 2
    assert "nothing in the mesh is called nobody" in told.err
    assert "help:" in told.err


def test_what_policies_would_deny_is_told_before_they_are_applied(weft: Weft, tmp_path: Path) -> None:
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "world.yaml").write_text(WORLD)
    (tmp_path / "policy.yaml").write_text(POLICY)
    rows = [
        {"from": "web-1", "to": "reviews:9080", "path": "/reviews/1", "count": 88},
        {"from": "cluster.local/ns/shop/sa/curl", "to": "reviews:9080", "path": "/reviews/1", "count": 12},
    ]
    (tmp_path / "requests.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = ["-f", str(tmp_path / "policy.yaml"), "--requests", str(tmp_path / "requests.jsonl")]
    asked += ["--against", str(tmp_path / "mesh"), "-n", "shop"]
    told = weft("authz", "simulate", *asked)
    assert told.out.splitlines()[0] == "would deny 12 of 100 requests"
    assert "cluster.local/ns/shop/sa/curl GET reviews:9080/reviews/1" in told.out
    changes = json.loads(weft("authz", "simulate", *asked, "-o", "json").out)
    assert changes["requests"] == 100
    assert [(one["before"], one["after"], one["count"]) for one in changes["changes"]] == [("allowed", "denied", 12)]


def test_a_line_that_is_no_request_is_told_with_its_number(weft: Weft, tmp_path: Path, shop: list[str]) -> None:
    (tmp_path / "requests.jsonl").write_text('{"from": "web-1", "to": "reviews"}\n{"from": 1}\n')
    told = weft("authz", "simulate", *shop, "--requests", str(tmp_path / "requests.jsonl"), "--against", str(tmp_path))
    assert told.code == 2
    assert "requests.jsonl:2" in told.err


def test_workloads_that_registered_are_known_by_their_services_and_by_their_own_ports(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(
        """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http-9080, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-1, namespace: shop}
spec:
  address: 127.0.0.1
  ports: {http-9080: 45717}
  labels: {app: reviews, app.kubernetes.io/managed-by: weft, security.istio.io/tlsMode: istio}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-131917, namespace: shop}
spec: {address: 127.0.0.1, labels: {app: web, app.kubernetes.io/managed-by: weft}, serviceAccount: web}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: by-port, namespace: shop}
spec: {selector: {matchLabels: {app: reviews}}, rules: [{to: [{operation: {ports: ["9080"]}}]}]}
"""
    )
    for called in ("reviews:9080", "reviews-1", "reviews"):
        done = run_weft("authz", "check", "web", called, "-n", "shop", "-f", str(tmp_path / "mesh.yaml"))
        assert done.code == 0, done.err
        assert "sa/web -> reviews-1.shop:9080" in done.out
