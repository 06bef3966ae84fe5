"""Where the application's own spans leave: a port of the sidecar that passes them to the control plane.

They travel with the workload's certificate, so the application needs neither a network nor credentials for them. Both
ways of OTLP are taken, and by HTTP become gRPC in the sidecar, so that there is one connection.
"""

from collections.abc import Mapping
from typing import Any

NAME = "spans"
_TYPES = "type.googleapis.com/envoy.extensions"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_HTTP = "/v1/traces"
_TIMEOUT = "5s"
_LARGEST = 4 * 1024 * 1024
_ENDPOINT, _TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_NAME, _RESOURCE = "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"
_OTHERS = "the mesh takes traces alone; send others elsewhere, or set OTEL_METRICS_EXPORTER and the like to none\n"

Json = dict[str, Any]


def spans_listener(port: int) -> Json:
    """The listener of a sidecar's bootstrap; what is sent goes to its cluster ``xds``."""
    routes = [
        _onward({"path": _EXPORT}),
        {**_onward({"path": _HTTP}), "request_headers_to_add": [_header("te", "trailers")]},
        {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": {"inline_string": _OTHERS}}},
    ]
    routes[1]["response_headers_to_add"] = [_header("content-type", "application/x-protobuf")]
    routes[1]["route"] = {**routes[1]["route"], "prefix_rewrite": _EXPORT}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": NAME,
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "route_config": {"name": NAME, "virtual_hosts": [{"name": NAME, "domains": ["*"], "routes": routes}]},
        "http_filters": [_as_grpc(), _filter("router", "router.v3.Router")],
    }
    return {
        "name": NAME,
        "stat_prefix": NAME,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": _LARGEST,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def with_endpoint(environment: Mapping[str, str], port: int, service: str) -> dict[str, str]:
    """The environment of an application whose spans go to this port, unless it says where they go."""
    own = any(environment.get(name) for name in (_ENDPOINT, _TRACES_ENDPOINT))
    said = {} if own else {_ENDPOINT: f"http://127.0.0.1:{port}"}
    named = environment.get(_NAME) or "service.name=" in environment.get(_RESOURCE, "")
    return {**environment, **said, **({} if named or own else {_NAME: service})}


def _onward(match: Json) -> Json:
    return {"match": match, "route": {"cluster": "xds", "timeout": _TIMEOUT}}


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _as_grpc() -> Json:
    found = _filter("grpc_http1_bridge", "grpc_http1_bridge.v3.Config")
    found["typed_config"]["upgrade_protobuf_to_grpc"] = True
    return found


def _filter(name: str, kind: str) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"{_TYPES}.filters.http.{kind}"}}
