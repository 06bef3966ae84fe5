"""Istio's simulation cases (``simulation/ALGORITHM.md`` of the data) played on weft's resources.

Istio's sidecar captures connections; weft's is named by the application. So a plaintext HTTP call goes through the HTTP
proxy, a server's port is one that the application declares, and what is asked of a case is where the call arrives, or
that it is refused. What has no counterpart is left out with a reason.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import KINDS, fragment_of
from weft.explain.call import parse_call
from weft.explain.configuration import Configuration, configuration_of, unpacked
from weft.explain.walk import explain
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.service import Protocol
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import Inlet, Node

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "istio" / "simulation" / "cases.jsonl"
REFUSED = "refused"
_PASSED_ON = ("PassthroughCluster", "AllowAnyDynamicDNSCluster")
_SERVED = {kind.kind for kind in KINDS}
_CAPTURED = "a captured connection without a host; weft's applications name a local port for it"
_ALPN = {"http": "istio-http/1.1", "http2": "istio-h2", "tcp": "istio"}
_TLS_ALPN = {"http": "http/1.1", "http2": "h2", "tcp": ""}


@cache
def cases() -> tuple[dict[str, Any], ...]:
    """Every case, none where the data is not there."""
    return tuple(json.loads(line) for line in DATA.read_text().splitlines()) if DATA.is_file() else ()


def case_left_out(case: dict[str, Any]) -> str:
    """Why a whole case has no counterpart, "" if it has."""
    if case["proxy"]["type"] != "sidecar":
        return "a gateway's proxy; test_istio_gateways plays it"
    unserved = {one["kind"] for one in case["configs"] or ()} - _SERVED
    if unserved:
        return f"needs the kind {', '.join(sorted(unserved))}, which is not served yet"
    return ""


def call_left_out(call: dict[str, Any], want: dict[str, Any]) -> str:
    """Why a call has no counterpart, "" if it has."""
    if call.get("mode") == "inbound":
        return ""
    if call.get("protocol") != "http" or call.get("tls", "plaintext") != "plaintext" or not call.get("host"):
        return _CAPTURED
    if not want.keys() & {"cluster", "error", "virtual_host"}:
        return "a TCP listener takes the connection by its port alone; weft goes by the host"
    return ""


def wanted(call: dict[str, Any], want: dict[str, Any]) -> str:
    """Where Istio's call arrives, in weft's names."""
    if "error" in want or want.get("cluster") == "BlackHoleCluster" or want.get("virtual_host") == "block_all":
        return REFUSED
    if want["cluster"] == "InboundPassthroughCluster":
        return f"inbound|{call['port']}||"
    return "PassthroughCluster" if want["cluster"] in _PASSED_ON else str(want["cluster"])


def played(case: dict[str, Any], call: dict[str, Any]) -> str:
    """Where weft's call arrives."""
    return _inbound(case, call) if call.get("mode") == "inbound" else _outbound(case, call)


def _outbound(case: dict[str, Any], call: dict[str, Any]) -> str:
    resources = resources_of(view_of(_mesh(case), _node(case, http_proxy=("127.0.0.1", 15001))))
    path = call.get("path") or "/"
    said = explain(resources, parse_call("GET", f"http://{call['host']}:{call['port']}{path}"))
    names = [step.what.partition(" % to ")[2] for step in said.steps if step.name == "cluster"]
    return names[0].partition(",")[0] if names else REFUSED


def _inbound(case: dict[str, Any], call: dict[str, Any]) -> str:
    """A port that no service names is TCP: nothing says more."""
    inlet = Inlet(
        name="port", port=call["port"], bind="127.0.0.1", bind_port=21001, app_port=8080, protocol=_protocol(case, call)
    )
    resources = resources_of(view_of(_mesh(case), _node(case, inlets=(inlet,))))
    configuration = configuration_of(resources)
    (listener,) = configuration.listeners.values()
    return _arrives(listener, configuration, call)


def _protocol(case: dict[str, Any], call: dict[str, Any]) -> Protocol:
    ports = [port for service in _mesh(case).services.values() for port in service.ports]
    return next((port.protocol for port in ports if (port.target or port.number) == call["port"]), Protocol.TCP)


def _node(case: dict[str, Any], **ports: Any) -> Node:
    proxy = case["proxy"]
    namespace = proxy["configNamespace"]
    return Node(
        id=f"app.{namespace}",
        namespace=namespace,
        workload="app",
        identity=Identity(trust_domain="cluster.local", namespace=namespace, account="default"),
        labels=tuple(sorted((proxy.get("labels") or {}).items())),
        **ports,
    )


def _mesh(case: dict[str, Any]) -> Mesh:
    allow_any = case["mesh_config"].get("outboundTrafficPolicy", {}).get("mode", "REGISTRY_ONLY") != "REGISTRY_ONLY"
    settings = Settings(allow_any=allow_any)
    documents = [_document(content) for content in (*(case["configs"] or ()), *_registered(case))]
    return link(tuple(fragment_of(one, settings) for one in documents), settings, 1)


def _registered(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The services of istiod's test registry that have instances, as documents."""
    found: dict[str, dict[str, Any]] = {}
    for instance in case["instances"] or ():
        host, port, endpoint = instance["service"]["hostname"], instance["servicePort"], instance["endpoint"]
        spec = found.setdefault(host, {"hosts": [host], "resolution": "STATIC", "ports": [], "endpoints": []})
        number, target = port["port"], endpoint["EndpointPort"]
        spec["ports"].append(
            {"name": port["name"], "number": number, "targetPort": target, "protocol": port["protocol"]}
        )
        spec["endpoints"] = [{"address": address} for address in endpoint["Addresses"]]
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": host.partition(".")[0], "namespace": case["proxy"]["configNamespace"]},
            "spec": spec,
        }
        for host, spec in found.items()
    ]


def _document(content: dict[str, Any]) -> Document:
    metadata = content["metadata"]
    key = Key(
        kind=content["kind"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        group=content["apiVersion"].partition("/")[0],
    )
    return Document(key=key, content=json.dumps(content).encode(), created="2026-01-01T00:00:00Z")


def _arrives(listener: Listener, configuration: Configuration, call: dict[str, Any]) -> str:
    """Steps 3 to 6: a filter chain, its TLS, its protocol."""
    mode, inspected = call.get("tls", "plaintext"), bool(listener.listener_filters)
    spoken = call.get("alpn") or (_ALPN if mode == "mtls" else _TLS_ALPN)[call["protocol"]]
    secured = mode != "plaintext"
    chains = _narrowed(listener.filter_chains, "transport_protocol", "tls" if secured and inspected else "raw_buffer")
    chains = _narrowed(chains, "application_protocols", spoken if secured and inspected else "")
    if len(chains) != 1:
        return REFUSED
    terminates = chains[0].HasField("transport_socket")
    if terminates != (mode == "mtls") and (terminates or _reads_requests(chains[0])):
        return REFUSED
    return _cluster(chains[0], configuration, call, secured and not terminates)


def _narrowed(chains: Iterable[FilterChain], field: str, value: str) -> list[FilterChain]:
    """The chains that ask for the value, else those that ask for nothing."""
    found = list(chains)
    asked = {id(chain): getattr(chain.filter_chain_match, field) for chain in found}
    matching = [chain for chain in found if value and _holds(asked[id(chain)], value)]
    return matching or [chain for chain in found if not asked[id(chain)]]


def _holds(asked: Any, value: str) -> bool:
    return asked == value if isinstance(asked, str) else value in asked


def _reads_requests(chain: FilterChain) -> bool:
    return unpacked(chain.filters[-1].typed_config, HttpConnectionManager) is not None


def _cluster(chain: FilterChain, configuration: Configuration, call: dict[str, Any], encrypted: bool) -> str:
    """Where a chain leads; HTTP is read where it is HTTP and nowhere else."""
    manager = unpacked(chain.filters[-1].typed_config, HttpConnectionManager)
    if manager is not None:
        unreadable = encrypted or call["protocol"] == "tcp"
        routes = configuration.routes.get(manager.rds.route_config_name, manager.route_config)
        return REFUSED if unreadable else routes.virtual_hosts[0].routes[0].route.cluster
    proxy = unpacked(chain.filters[-1].typed_config, TcpProxy)
    assert proxy is not None, chain
    return proxy.cluster
