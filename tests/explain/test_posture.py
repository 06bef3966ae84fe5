"""Which policies decide for a workload, and what it asks of its callers."""

from pathlib import Path

from tests.limits.rig import mesh_with
from weft.explain.posture import postures_of

POLICIES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: shop}
spec: {selector: {matchLabels: {app: reviews}}, rules: [{to: [{operation: {methods: [GET]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: noted, namespace: shop}
spec: {action: AUDIT, rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried, namespace: shop, annotations: {"istio.io/dry-run": "true"}}
spec: {action: DENY, rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec: {selector: {matchLabels: {app: reviews}}, mtls: {mode: STRICT}}
"""


def test_only_policies_that_decide_count(tmp_path: Path) -> None:
    found = postures_of(mesh_with(POLICIES, tmp_path))
    reviews = [one for one in found if one.workload.startswith("reviews")]
    others = [one for one in found if not one.workload.startswith("reviews")]
    assert reviews
    assert others
    assert {(one.policies, one.mtls) for one in reviews} == {(("shop/reads",), "STRICT")}
    assert {(one.policies, one.mtls) for one in others if one.namespace == "shop"} == {((), "PERMISSIVE")}
    assert list(found) == sorted(found, key=lambda one: (one.namespace, one.workload))
