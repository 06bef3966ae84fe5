"""Istio's recorded scenarios: the same documents give clusters that agree with istiod's in what each is about."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict

from tests.compiler.bootstrap import clusters
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft.compiler.resource import ENDPOINTS, Resources
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.scope import Scope, outbound_of
from weft.view.view import View

_SCENARIOS = Path(__file__).parents[2].parent / "shared" / "data" / "istio" / "golden" / "scenarios"
_NAMES = (
    "bookinfo-05-destination-rule-reviews",
    "bookinfo-08-virtual-service-all-v1",
    "probe-dr-lb-hash-ip",
    "probe-dr-lb-hash-ring",
    "probe-dr-lb-warmup",
    "probe-dr-lb-warmup-rr",
    "probe-dr-locality-nooutlier",
    "probe-dr-locality-priority",
    "probe-dr-lookup",
    "probe-dr-outlier",
    "probe-dr-port-subset",
    "probe-dr-tls-disable",
    "probe-mesh-default-retry",
)
_FIELDS = (
    "lbPolicy",
    "outlierDetection",
    "circuitBreakers",
    "connectTimeout",
    "ringHashLbConfig",
    "maglevLbConfig",
    "upstreamConnectionOptions",
    "commonLbConfig",
    "leastRequestLbConfig",
    "roundRobinLbConfig",
)

pytestmark = pytest.mark.skipif(not _SCENARIOS.exists(), reason="needs istio's recorded scenarios")


@pytest.mark.parametrize("name", _NAMES)
def test_clusters_agree_with_istiods(name):
    scenario = yaml.safe_load((_SCENARIOS / f"{name}.yaml").read_text())
    recorded = json.loads(gzip.decompress((_SCENARIOS / f"{name}.xds.json.gz").read_bytes()))["proxies"]
    mesh = _mesh(scenario["config"])
    for proxy in scenario["proxies"]:
        if proxy["type"] != "sidecar":
            continue
        theirs = {one["name"]: one for one in recorded[proxy["name"]]["clusters"] if one["name"].startswith("outbound")}
        resources = _resources(mesh, proxy)
        ours = {name: MessageToDict(cluster) for name, cluster in clusters(resources).items()}
        assert set(ours) == set(theirs)
        assert {key: _compared(one) for key, one in ours.items()} == {
            key: _compared(one) for key, one in theirs.items()
        }
        assert {name: _placed(one) for name, one in _endpoints(resources).items()} == {
            one["clusterName"]: _placed(one) for one in recorded[proxy["name"]]["endpoints"]
        }


def _mesh(text: str) -> Mesh:
    documents = (_document(content) for content in yaml.safe_load_all(text) if content)
    return link(tuple(fragment_of(one, Settings()) for one in documents), Settings(), 1)


def _document(content: dict[str, Any]) -> Document:
    metadata = content["metadata"]
    key = Key(
        kind=content["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        group=content["apiVersion"].rpartition("/")[0],
    )
    return Document(key=key, content=json.dumps(content, default=str).encode())


def _resources(mesh: Mesh, proxy: dict[str, Any]) -> Resources:
    scope = Scope(namespace=proxy["namespace"], locality=proxy.get("locality", ""))
    return resources_of(View(trust_domain="cluster.local", outbound=outbound_of(mesh, scope)))


def _endpoints(resources: Resources) -> dict[str, Any]:
    bodies = {one.name: one.body for one in resources.resources if one.type_url == ENDPOINTS}
    return {name: MessageToDict(ClusterLoadAssignment.FromString(body)) for name, body in bodies.items()}


def _placed(found: dict[str, Any]) -> list[object]:
    """Addresses with their priorities."""
    return sorted(
        (one["endpoint"]["address"]["socketAddress"]["address"], group.get("priority", 0))
        for group in found.get("endpoints", [])
        for one in group["lbEndpoints"]
    )


def _compared(cluster: dict[str, Any]) -> dict[str, Any]:
    for field in ("leastRequestLbConfig", "roundRobinLbConfig"):
        if field in cluster:  # with Envoy's defaults; nobody sets the key at run time, and istiod's is garbled
            warmup = cluster[field]["slowStartConfig"]
            warmup.setdefault("minWeightPercent", {"value": 10})
            warmup.setdefault("aggression", {"defaultValue": 1}).pop("runtimeKey", None)
    return {field: cluster.get(field) for field in _FIELDS} | {"tls": _tls(cluster)}


def _tls(cluster: dict[str, Any]) -> object:
    """The name asked for and the identities accepted, where mutual TLS is offered."""
    for match in cluster.get("transportSocketMatches", []):
        context = match["transportSocket"]["typedConfig"]
        if "sni" in context:
            found = context["commonTlsContext"]["combinedValidationContext"]["defaultValidationContext"]
            old = [one["exact"] for one in found.get("matchSubjectAltNames", [])]
            new = [one["matcher"]["exact"] for one in found.get("matchTypedSubjectAltNames", [])]
            return context["sni"], sorted(old + new)
    return None
