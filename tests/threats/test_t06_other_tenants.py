"""T6: the author of one namespace's documents wants the requests of another, or to see or stop what is there.

``bank`` is attacked from ``evil``, whose documents name everything of the bank that a document can name.
"""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.dialects.documents import document
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import KINDS, check, fragment_of
from weft.model.document import Document
from weft.model.finding import Severity
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Inlet, Node, Outlet

TOGETHER = Settings()
APART = replace(TOGETHER, apart=True)
VAULT = "vault.bank.svc.cluster.local"
EVIL = "evil.evil.svc.cluster.local"
_TO_EVIL = f"http: [{{route: [{{destination: {{host: {EVIL}}}}}]}}]"
_PORT = "ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC"
_EDGE = (
    "{selector: {app: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [./bank.example.com]}]}"
)
_WEB = "{rules: [{from: [{source: {principals: [cluster.local/ns/bank/sa/web]}}]}]}"
_BANK = (
    ("Service", "{selector: {app: vault}, ports: [{name: http, port: 80, targetPort: 8080}]}", "vault"),
    (
        "WorkloadEntry",
        "{address: 10.0.0.1, serviceAccount: vault, ports: {http: 15080},"
        " labels: {app: vault, security.istio.io/tlsMode: istio}}",
        "vault-1",
    ),
    ("ServiceEntry", f"{{hosts: [partner.example.com], {_PORT}, endpoints: [{{address: 192.0.2.9}}]}}", "partner"),
    ("Gateway.networking.istio.io", _EDGE, "edge"),
    (
        "VirtualService",
        f"{{hosts: [bank.example.com], gateways: [edge], http: [{{route: [{{destination: {{host: {VAULT}}}}}]}}]}}",
        "edge",
    ),
    (
        "Gateway.gateway.networking.k8s.io",
        "{gatewayClassName: weft, listeners: [{name: http, port: 8080, protocol: HTTP}]}",
        "door",
    ),
    ("HTTPRoute", "{parentRefs: [{name: door}], rules: [{backendRefs: [{name: vault, port: 80}]}]}", "door"),
    ("AuthorizationPolicy", _WEB, "only-web"),
    ("PeerAuthentication", "{mtls: {mode: STRICT}}", "strict"),
)
BASE = [
    *(document(kind, spec, name, namespace="bank", created="2026-06-01T00:00:00Z") for kind, spec, name in _BANK),
    document("Service", "{selector: {app: evil}, ports: [{name: http, port: 80}]}", "evil", namespace="evil"),
    document("WorkloadEntry", "{address: 10.6.6.6, labels: {app: evil}}", "evil-1", namespace="evil"),
]
_AT_VAULT = "selector: {matchLabels: {app: vault}}"
_PER_TARGET = "targetRefs: [{kind: Service, name: vault}]"
_AT_DOOR = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: door}]"
_INTO_DOOR = "parentRefs: [{name: door, namespace: bank}]"
_BACKEND = "rules: [{backendRefs: [{name: evil, port: 80}]}]"
_KEY = "issuer: evil, jwksUri: 'https://evil.example.com/keys'"
_ALLOW_ALL = "rules: [{}]"
_LUA = "lua: {inlineCode: 'function envoy_on_request(handle) end'}"

ATTACKS: dict[str, tuple[str, str]] = {
    "rules for a service": ("DestinationRule", f"{{host: {VAULT}, trafficPolicy: {{tls: {{mode: DISABLE}}}}}}"),
    "rules for a partner": (
        "DestinationRule",
        "{host: partner.example.com, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}",
    ),
    "rules for every host": ("DestinationRule", "{host: '*', trafficPolicy: {tls: {mode: DISABLE}}}"),
    "a service of the same host": (
        "ServiceEntry",
        f"{{hosts: [{VAULT}], {_PORT}, endpoints: [{{address: 10.6.6.6}}]}}",
    ),
    "a workload with its labels": (
        "WorkloadEntry",
        "{address: 10.6.6.6, serviceAccount: vault, labels: {app: vault}}",
    ),
    "a group with its labels": (
        "WorkloadGroup",
        "{metadata: {labels: {app: vault}}, template: {serviceAccount: vault}}",
    ),
    "rules at a gateway": (
        "VirtualService",
        f"{{hosts: [bank.example.com], gateways: [bank/edge], {_TO_EVIL}}}",
    ),
    "what a sidecar sees": ("Sidecar", "{workloadSelector: {labels: {app: vault}}, egress: [{hosts: ['./*']}]}"),
    "no TLS for a workload": ("PeerAuthentication", f"{{{_AT_VAULT}, mtls: {{mode: DISABLE}}}}"),
    "letting everybody in": ("AuthorizationPolicy", f"{{{_AT_VAULT}, {_ALLOW_ALL}}}"),
    "denying everybody": ("AuthorizationPolicy", f"{{action: DENY, {_ALLOW_ALL}}}"),
    "denying at a gateway": ("AuthorizationPolicy", f"{{action: DENY, {_AT_DOOR}, {_ALLOW_ALL}}}"),
    "keys of its own": ("RequestAuthentication", f"{{{_AT_VAULT}, jwtRules: [{{{_KEY}}}]}}"),
    "a patch": (
        "EnvoyFilter",
        "{workloadSelector: {labels: {app: vault}}, configPatches: [{applyTo: CLUSTER, match: {context: ANY},"
        " patch: {operation: MERGE, value: {connect_timeout: 1s}}}]}",
    ),
    "no metrics and no log": (
        "Telemetry",
        f"{{{_AT_VAULT}, metrics: [{{overrides: [{{disabled: true}}]}}], accessLogging: [{{disabled: true}}]}}",
    ),
    "spans of a gateway": (
        "Telemetry",
        "{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: door}], tracing: "
        "[{randomSamplingPercentage: 100}]}",
    ),
    "code": ("WasmPlugin", f"{{{_AT_VAULT}, url: 'file:///x.wasm'}}"),
    "a script": ("TrafficExtension", f"{{{_AT_VAULT}, {_LUA}}}"),
    "settings of a proxy": ("ProxyConfig", f"{{{_AT_VAULT}, concurrency: 1}}"),
    "a route of a gateway": ("HTTPRoute", f"{{{_INTO_DOOR}, {_BACKEND}}}"),
    "a route of a service": (
        "HTTPRoute",
        f"{{parentRefs: [{{group: '', kind: Service, name: vault, namespace: bank}}], {_BACKEND}}}",
    ),
    "a route for gRPC": ("GRPCRoute", f"{{{_INTO_DOOR}, {_BACKEND}}}"),
    "a route for bytes": ("TCPRoute", f"{{{_INTO_DOOR}, {_BACKEND}}}"),
    "a listener": (
        "ListenerSet",
        "{parentRef: {name: door, namespace: bank}, listeners: [{name: evil, port: 8081, protocol: HTTP}]}",
    ),
    "a grant": (
        "ReferenceGrant",
        "{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: evil}],"
        " to: [{group: '', kind: Service}]}",
    ),
    "TLS to a service": (
        "BackendTLSPolicy",
        "{targetRefs: [{group: '', kind: Service, name: vault}],"
        " validation: {hostname: evil.example.com, wellKnownCACertificates: System}}",
    ),
    "a breaker": ("CircuitBreaker", f"{{{_PER_TARGET}, failureThreshold: 1, openDuration: 1h}}"),
    "a health check": ("HealthCheck", f"{{{_PER_TARGET}, http: {{path: /}}}}"),
    "a limit": ("RateLimitPolicy", f"{{{_PER_TARGET}, limits: [{{name: a, requests: 1, per: Day}}]}}"),
    "a transformation": (
        "Transformation",
        "{targetRefs: [{kind: VirtualService, name: edge}], request: {headers: {set: {x-evil: '1'}}}}",
    ),
    "compression": ("Compression", f"{{{_AT_DOOR}}}"),
    "a cache": ("ResponseCache", f"{{{_AT_DOOR}, directory: /var/cache/evil}}"),
}
REACHING: dict[str, tuple[str, str]] = {
    "rules for a service": ("VirtualService", f"{{hosts: [{VAULT}], {_TO_EVIL}}}"),
    "rules for a partner": ("VirtualService", f"{{hosts: [partner.example.com], {_TO_EVIL}}}"),
    "rules for more hosts": ("VirtualService", f"{{hosts: [{EVIL}, '*.example.com'], {_TO_EVIL}}}"),
    "a partner for the bank alone": (
        "ServiceEntry",
        f"{{hosts: [partner.example.com], exportTo: [bank], {_PORT}, endpoints: [{{address: 10.6.6.6}}]}}",
    ),
    "a partner of the same host": (
        "ServiceEntry",
        f"{{hosts: [partner.example.com], {_PORT}, endpoints: [{{address: 10.6.6.6}}]}}",
    ),
    "a partner with the bank's workloads": (
        "ServiceEntry",
        f"{{hosts: [partner.example.com], {_PORT}, workloadSelector: {{labels: {{app: vault}}}}}}",
    ),
    "a gateway on the same port": (
        "Gateway.networking.istio.io",
        "{selector: {app: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
    ),
    "another port of a gateway": (
        "Gateway.networking.istio.io",
        "{selector: {app: edge}, servers: [{port: {number: 8081, name: http, protocol: HTTP}, hosts: ['*']}]}",
    ),
}
"""What Istio lets a namespace do to others: settings tell whether weft does."""


def _node(name: str, **more: Any) -> Node:
    identity = Identity(trust_domain="cluster.local", namespace="bank", account=name)
    labels = more.pop("labels", (("app", name),))
    return Node(id=f"{name}-1.bank", namespace="bank", workload=f"{name}-1", identity=identity, labels=labels, **more)


_DOOR = (("app", "door"), ("gateway.networking.k8s.io/gateway-name", "door"))
NODES = (
    _node(
        "vault",
        inlets=(Inlet(name="http", port=8080, bind="127.0.0.1", bind_port=15080, app_port=8080),),
        http_proxy=("127.0.0.1", 15001),
    ),
    _node("web", http_proxy=("127.0.0.1", 15002), outlets=(Outlet(host="vault", port=80, bind_port=15003),)),
    _node("edge", gateway=GatewayPlace(bind="127.0.0.1")),
    _node("door", labels=_DOOR, gateway=GatewayPlace(bind="127.0.0.1")),
)


def sent(documents: list[Document], settings: Settings) -> dict[str, Any]:
    """Everything that the bank's proxies are sent, but for what the attacker's own service is."""
    mesh = link(tuple(fragment_of(one, settings) for one in documents), settings, 1)
    return {
        node.id: {
            (one.type_url, one.name): one.version
            for one in resources_of(view_of(mesh, node)).resources
            if EVIL not in one.name
        }
        for node in NODES
    }


def attack(said: tuple[str, str]) -> Document:
    """The attacker's document, older than the bank's; it must be one that the API takes."""
    made = document(said[0], said[1], "attack", namespace="evil", created="2026-01-01T00:00:00Z")
    kind = next(one for one in KINDS if (one.group, one.kind) == (made.key.group, made.key.kind))
    wrong = [one for one in check(kind, json.loads(made.content)) if one.severity is Severity.ERROR]
    assert not wrong, wrong
    return made


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("settings", [TOGETHER, APART], ids=["together", "apart"])
def test_a_document_of_another_namespace_changes_no_byte_of_what_is_sent_here(name: str, settings: Settings) -> None:
    assert sent([*BASE, attack(ATTACKS[name])], settings) == sent(BASE, settings)


@pytest.mark.parametrize("name", REACHING)
def test_what_istio_lets_a_namespace_do_to_others_is_not_done_where_they_are_apart(name: str) -> None:
    reaching = [*BASE, attack(REACHING[name])]
    assert sent(reaching, TOGETHER) != sent(BASE, TOGETHER)
    assert sent(reaching, APART) == sent(BASE, APART)


def test_every_kind_that_says_something_to_proxies_is_tried() -> None:
    tried = {said[0].partition(".")[0] for said in (*ATTACKS.values(), *REACHING.values())}
    unheard = {"Service", "Namespace", "ConfigMap", "Secret", "GatewayClass", "ResourceQuota"}
    silent = ("cert-manager", "rbac", "openslo")
    unheard |= {one.kind for one in KINDS if any(each in one.group for each in silent)}
    alike = {"XListenerSet", "TLSRoute", "UDPRoute"}
    assert {one.kind for one in KINDS} == tried | unheard | alike


def test_a_namespace_that_is_apart_still_says_how_its_own_services_are_called() -> None:
    own = document(
        "VirtualService",
        f"{{hosts: [{VAULT}], http: [{{timeout: 3s, route: [{{destination: {{host: {VAULT}}}}}]}}]}}",
        "own",
        namespace="bank",
    )
    assert sent([*BASE, own], APART) != sent(BASE, APART)
