"""Istio's recorded scenarios: the same documents give clusters that agree with istiod's in what each is about."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict

from tests.compiler.test_istio_routes import compared
from weft.compiler.http_filters.messages import switched_on
from weft.compiler.pools import refusing
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import fragment_of
from weft.explain.configuration import Configuration, configuration_of
from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node

_SCENARIOS = Path(__file__).parents[2].parent / "shared" / "data" / "istio" / "golden" / "scenarios"
_NAMES = sorted(path.stem for path in _SCENARIOS.glob("*.yaml"))
# What is compared elsewhere, or differs for a reason that docs/compatibility.md gives: (scenario, name) -> why.
_CLUSTERS_LEFT_OUT = {
    "probe-envoyfilter": "compared in test_recorded_patches",
    "probe-pa-disable": "who takes mutual TLS is said by endpoints, not by clusters",
}
_ROUTES_LEFT_OUT = {
    ":8888": "a port that tells no protocol is TCP",
    "x.example.com:7070": "a host that only rules define has port 80",
    "x.example.com:81": "a host that only rules define has port 80",
}
_REFUSING = MessageToDict(refusing())
"""Ours alone, of bytes: docs/compatibility.md."""
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


@pytest.mark.parametrize("name", [name for name in _NAMES if name not in _CLUSTERS_LEFT_OUT])
def test_clusters_agree_with_istiods(name):
    for proxy, theirs, ours in _proxies(name, "sidecar"):
        recorded = {one["name"]: one for one in theirs["clusters"] if one["name"].startswith("outbound")}
        made = {key: MessageToDict(one) for key, one in ours.clusters.items() if key.startswith("outbound")}
        assert set(made) == set(recorded), proxy
        for key, one in recorded.items():
            if not _looked_up_here(one):
                assert _compared(made[key]) == _compared(one), (proxy, key)
        endpoints = {key: _placed(MessageToDict(one)) for key, one in ours.endpoints.items()}
        assert endpoints == {one["clusterName"]: _placed(one) for one in theirs["endpoints"]}


@pytest.mark.parametrize("name", _NAMES)
def test_routes_of_every_host_agree_with_istiods(name):
    for proxy, theirs, ours in _proxies(name, "sidecar"):
        hosts = {host.name: host for host in ours.routes["http_proxy"].virtual_hosts}
        for host in _recorded_hosts(theirs):
            if any(host["name"].endswith(end) for end in _ROUTES_LEFT_OUT):
                continue
            made = [_one_spelling(MessageToDict(route)) for route in hosts[host["name"]].routes]
            assert made == [_one_spelling(route) for route in host["routes"]], (proxy, host["name"])


@pytest.mark.parametrize("name", _NAMES)
def test_routes_at_gateways_agree_with_istiods(name):
    for proxy, theirs, ours in _proxies(name, "router"):
        made = {
            domain: [_one_spelling(MessageToDict(route)) for route in host.routes]
            for routes in ours.routes.values()
            for host in routes.virtual_hosts
            for domain in host.domains
        }
        for host in _recorded_hosts(theirs):
            if not host.get("routes"):
                continue
            for domain in host["domains"]:
                if ":" not in domain:
                    assert made[domain] == [_one_spelling(route) for route in host["routes"]], (proxy, domain)


def _looked_up_here(cluster: dict[str, Any]) -> bool:
    """Whether Istio sends to the original address, or looks names up by another cluster: weft looks all names up."""
    return cluster.get("type") == "ORIGINAL_DST" or "||*." in cluster["name"]


def _proxies(name: str, kind: str) -> Iterator[tuple[str, dict[str, Any], Configuration]]:
    """The proxies of a scenario: what istiod sends them, and what weft does."""
    scenario = yaml.safe_load((_SCENARIOS / f"{name}.yaml").read_text())
    recorded = json.loads(gzip.decompress((_SCENARIOS / f"{name}.xds.json.gz").read_bytes()))["proxies"]
    mesh = _mesh(scenario["config"], scenario.get("mesh", ""))
    for proxy in scenario["proxies"]:
        if proxy["type"] == kind:
            resources = resources_of(view_of(mesh, _node(proxy)))
            yield proxy["name"], recorded[proxy["name"]], configuration_of(resources)


def _node(proxy: dict[str, Any]) -> Node:
    gateway = GatewayPlace(bind="0.0.0.0") if proxy["type"] == "router" else None
    return Node(
        id=f"{proxy['name']}.{proxy['namespace']}",
        namespace=proxy["namespace"],
        workload=proxy["name"],
        identity=Identity(trust_domain="cluster.local", namespace=proxy["namespace"], account="default"),
        labels=labels_of(proxy.get("labels") or {}),
        locality=proxy.get("locality", ""),
        http_proxy=None if gateway else ("127.0.0.1", 15001),
        gateway=gateway,
    )


def _recorded_hosts(theirs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for routes in theirs["routes"]:
        for host in routes.get("virtualHosts", []):
            if host["name"] not in ("allow_any", "block_all") and not host["name"].startswith("inbound"):
                yield host


def _one_spelling(route: dict[str, Any]) -> dict[str, Any]:
    """What is told in any order, or has two spellings, made one."""
    route = compared(route)
    for conditions in ("headers", "queryParameters"):
        route["match"].get(conditions, []).sort(key=lambda one: one["name"])
    cors = route.get("typedPerFilterConfig", {}).get("envoy.filters.http.cors", {}).get("filterEnabled")
    if cors in (
        {"defaultValue": {"numerator": 100}},
        {"defaultValue": {"numerator": 1000000, "denominator": "MILLION"}},
    ):
        cors["defaultValue"] = "all"
    if "hashPolicy" in route.get("route", {}):  # Istio leaves the predicate out of rules, and not of hosts without any
        route["route"]["retryPolicy"].pop("retryHostPredicate", None)
    if route.get("redirect", {}).get("pathRedirect") == "":
        del route["redirect"]["pathRedirect"]
    # Hosts of a ServiceEntry without resolution are looked up by name here: there is no original address.
    # Istio has the filter that counts messages in every chain, for every call.
    for filter_name in ("envoy.filters.http.dynamic_forward_proxy", *switched_on()):
        route.get("typedPerFilterConfig", {}).pop(filter_name, None)
    if not route.get("typedPerFilterConfig", True):
        del route["typedPerFilterConfig"]
    return route


def _mesh(text: str, mesh_config: str) -> Mesh:
    documents = [_document(content) for content in yaml.safe_load_all(text) if content]
    settings = settings_of(_mesh_config(mesh_config), Settings(), Settings()).settings
    return link(tuple(fragment_of(one, settings) for one in documents), settings, 1)


def _mesh_config(text: str) -> Document:
    content = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mesh": text}}
    return Document(key=mesh_config_key(Settings()), content=json.dumps(content).encode())


def _document(content: dict[str, Any]) -> Document:
    metadata = content["metadata"]
    key = Key(
        kind=content["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        group=content["apiVersion"].rpartition("/")[0],
    )
    return Document(key=key, content=json.dumps(content, default=str).encode())


def _placed(found: dict[str, Any]) -> list[object]:
    """Addresses with their priorities."""
    return sorted(
        (_address(one["endpoint"]["address"]), group.get("priority", 0))
        for group in found.get("endpoints", [])
        for one in group["lbEndpoints"]
    )


def _address(address: dict[str, Any]) -> str:
    return str(address["pipe"]["path"] if "pipe" in address else address["socketAddress"]["address"])


def _compared(cluster: dict[str, Any]) -> dict[str, Any]:
    for field in ("leastRequestLbConfig", "roundRobinLbConfig"):
        if field in cluster:  # with Envoy's defaults; nobody sets the key at run time, and istiod's is garbled
            warmup = cluster[field]["slowStartConfig"]
            warmup.setdefault("minWeightPercent", {"value": 10})
            warmup.setdefault("aggression", {"defaultValue": 1}).pop("runtimeKey", None)
    if cluster.get("outlierDetection") == _REFUSING:
        del cluster["outlierDetection"]
    return {field: cluster.get(field) for field in _FIELDS} | {"tls": _tls(cluster)}


def _tls(cluster: dict[str, Any]) -> object:
    """The name asked for and the identities accepted, where mutual TLS is offered."""
    for match in cluster.get("transportSocketMatches", []):
        context = match["transportSocket"]["typedConfig"]
        if "sni" in context:
            found = context["commonTlsContext"]["combinedValidationContext"]["defaultValidationContext"]
            old = [next(iter(one.values())) for one in found.get("matchSubjectAltNames", [])]
            new = [next(iter(one["matcher"].values())) for one in found.get("matchTypedSubjectAltNames", [])]
            return context["sni"], sorted({*old, *new} - {"spiffe://cluster.local/"})
    return None
