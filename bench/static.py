"""Static configurations of what weft is compared with: Envoy without a control plane, and HAProxy.

Nothing is in them that the path does not need: a router, and between two proxies HTTP/2 over mutual TLS 1.3 with the
peer's SPIFFE ID checked on both sides. No access log, tracing or statistics beyond Envoy's own.
"""

from pathlib import Path
from typing import Any

from weft.kit.value import Value

Json = dict[str, Any]

CALLER = "spiffe://bench/ns/bench/sa/caller"
SERVER = "spiffe://bench/ns/bench/sa/server"
BODY = "x" * 1024
_TYPE = "type.googleapis.com/envoy."
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Tls(Value):
    """One side of mutual TLS: its certificate and key, whom it trusts, and who the peer must be."""

    certificate: Path
    key: Path
    bundle: Path
    peer: str


def backend(port: int) -> Json:
    """An Envoy that is the application: it answers everything with 200 and ``BODY``."""
    return _bootstrap(port, {"direct_response": {"status": 200, "body": {"inline_string": BODY}}})


def hop(port: int, to: int) -> Json:
    """One proxy, plain HTTP/1.1 on both sides."""
    return _bootstrap(port, _forward(), clusters=[_cluster(to)])


def outbound(port: int, to: int, tls: Tls) -> Json:
    """The caller's side of a pair."""
    context = {"common_tls_context": _common(tls) | {"alpn_protocols": ["h2"]}, "sni": "server"}
    secured = {"transport_socket": _socket("UpstreamTlsContext", context)}
    options: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
    secured["typed_extension_protocol_options"] = {
        _OPTIONS: _typed("extensions.upstreams.http.v3.HttpProtocolOptions", options)
    }
    return _bootstrap(port, _forward(), clusters=[_cluster(to) | secured])


def inbound(port: int, to: int, tls: Tls) -> Json:
    """The server's side of a pair: it tells the application who called."""
    context = {"common_tls_context": _common(tls) | {"alpn_protocols": ["h2"]}, "require_client_certificate": True}
    manager = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {"uri": True}}
    socket = _socket("DownstreamTlsContext", context)
    return _bootstrap(port, _forward(), clusters=[_cluster(to)], manager=manager, socket=socket)


def haproxy(port: int, to: int) -> str:
    """HAProxy as one hop in HTTP mode, one thread, connections to the application kept and shared."""
    return f"""global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend in
    bind 127.0.0.1:{port}
    default_backend application
backend application
    server one 127.0.0.1:{to}
"""


def _bootstrap(
    port: int,
    action: Json,
    *,
    clusters: list[Json] | None = None,
    manager: Json | None = None,
    socket: Json | None = None,
) -> Json:
    routes = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}} | action]}]}
    router = _typed("extensions.filters.http.router.v3.Router", {"suppress_envoy_headers": True})
    connections = _typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        {"stat_prefix": "http", "route_config": routes, "http_filters": [{"name": "router", "typed_config": router}]}
        | (manager or {}),
    )
    chain: Json = {"filters": [{"name": "http", "typed_config": connections}]}
    if socket:
        chain["transport_socket"] = socket
    listener = {"name": "in", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": clusters or []}}


def _forward() -> Json:
    return {"route": {"cluster": "next", "timeout": "0s"}}


def _cluster(port: int) -> Json:
    endpoint = {"endpoint": {"address": _address(port)}}
    limits = {"max_connections": 10_000, "max_pending_requests": 10_000, "max_requests": 10_000}
    return {
        "name": "next",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "next", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _common(tls: Tls) -> Json:
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [
            {"certificate_chain": {"filename": str(tls.certificate)}, "private_key": {"filename": str(tls.key)}}
        ],
        "validation_context": {
            "trusted_ca": {"filename": str(tls.bundle)},
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": tls.peer}}],
        },
    }


def _socket(message: str, context: Json) -> Json:
    return {"name": "tls", "typed_config": _typed(f"extensions.transport_sockets.tls.v3.{message}", context)}


def _typed(name: str, content: Json) -> Json:
    return {"@type": _TYPE + name} | content


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
