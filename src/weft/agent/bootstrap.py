"""The sidecar's bootstrap as JSON: where its control plane, its keys and its admin socket are, and what it may use.

Each setting was measured (idle CPU, memory, time to reconnect); everything else comes over xDS.
"""

import ipaddress
from pathlib import Path
from typing import Any

import msgspec

from weft.agent.capture.host import families
from weft.agent.capture.scope import mark_of
from weft.agent.config import MOST_CONNECTIONS, AgentConfig, GatewayConfig
from weft.agent.credentials import Issued
from weft.agent.ports import CapturePorts, Plan
from weft.agent.privilege import lowest_port
from weft.agent.reporting import buckets, counted, reporting
from weft.agent.sds import CERTIFICATE, ROOTS
from weft.agent.spans import spans_listener
from weft.agent.steering import REPLAYED
from weft.ca.names import control_plane
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.model.reporting import peer_of
from weft.model.workload import TLS_MODE_LABEL

_PROTOCOLS = {"http": "HTTP", "http2": "HTTP2", "grpc": "GRPC", "tcp": "TCP"}
STREAM_WINDOW = 1024 * 1024
"""Bytes of a stream to the control plane, and those that wait for it where it does not read: beyond that the entries of
a log are dropped and counted (Envoy's own default is 16 MiB for each log)."""
_TYPES = "type.googleapis.com/envoy"
_RAW = f"{_TYPES}.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
_OWNER_ONLY = 0o600
_MIB = 1024 * 1024
UNWRITTEN = "filesystem.write_total_buffered"
"""The bytes of access logs that Envoy keeps for now."""
_STATS = (
    r"^(http|cluster|listener|tcp)\..*(upstream_rq_(total|time|[1-5]xx|timeout|retry|active|pending_overflow|rx_reset)"
    r"|downstream_rq_(total|time|[1-5]xx|active)|upstream_cx_(total|active|connect_fail|connect_timeout)"
    r"|downstream_cx_(total|active)|ssl\.(handshake|connection_error|fail_verify_error|fail_verify_san)"
    r"|outlier_detection\.ejections_(active|enforced_total)|membership_(healthy|total)|rbac\.(allowed|denied)"
    r"|update_(rejected|success|failure)|connected_state|fault\.(aborts|delays)_injected)$"
)

# Envoy refuses a regex whose RE2 program is longer than 100 instructions, and with it the whole route configuration;
# documents are checked against this limit instead.
# Limits are counted apart by what only a substitution can tell, such as the caller's SPIFFE ID.
# Spans are sent each second or by 64: what is sent one by one costs several times as much.
RUNTIME = {
    "re2.max_program_size.error_level": 32768,
    "envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value": True,
    "tracing.opentelemetry.flush_interval_ms": 1000,
    "tracing.opentelemetry.min_flush_spans": 64,
}

_SHARED = {"overload.premature_reset_total_stream_count": 2**31}
"""A connection to a sidecar carries the requests of many clients. Were it ended because one of them takes back request
after request, all would lose theirs; gateways, where each client has its own, end it."""

Json = dict[str, Any]


class Sockets(Value):
    """The Unix sockets between the agent and its Envoy, and that of the application's Workload API."""

    admin: Path
    sds: Path
    way: Path | None = None

    @property
    def replay(self) -> Path:
        """Where the last good configuration is served while the control plane is away."""
        return self.sds.with_name("replay.sock")

    @property
    def capture(self) -> Path:
        """Where what is captured arrives from an application in a network of its own."""
        return self.sds.with_name("capture.sock")

    @property
    def spiffe(self) -> Path:
        """Where the Workload API is served, if it is."""
        return self.sds.with_name("spiffe.sock")


def bootstrap(config: AgentConfig, issued: Issued, plan: Plan, sockets: Sockets) -> bytes:
    """The bootstrap of a sidecar."""
    return msgspec.json.encode(
        {
            "node": _node(config, issued, plan),
            "admin": {"address": {"pipe": {"path": str(sockets.admin), "mode": _OWNER_ONLY}}},
            "dynamic_resources": _dynamic(),
            "static_resources": {
                "clusters": [_control_plane(issued, sockets), _agent(sockets.sds)],
                "listeners": [spans_listener(plan.spans)] if plan.spans else [],
            },
            "cluster_manager": {"enable_deferred_cluster_creation": True},
            "deferred_stat_options": {"enable_deferred_creation_stats": True},
            "stats_config": {
                "stats_matcher": {"inclusion_list": {"patterns": [*_patterns(), *counted()]}},
                "histogram_bucket_settings": buckets(),
            },
            **reporting(),
            "watchdogs": {"main_thread_watchdog": _watchdog(), "worker_watchdog": _watchdog()},
            "overload_manager": overload(config),
            "layered_runtime": {"layers": [{"name": "weft", "static_layer": _runtime(config)}]},
        }
    )


def introduction(config: AgentConfig, namespace: str, plan: Plan) -> str:
    """What the sidecar says of itself in its node's metadata, as ``weft.view.node.parse_node`` reads it."""
    inlets = [
        {
            "name": inlet.port.key,
            "port": inlet.port.port,
            "bind": config.address,
            "bind_port": inlet.bind_port,
            "app_port": inlet.app_port,
            "app": "127.0.0.1",
            "protocol": _PROTOCOLS[inlet.port.protocol],
        }
        for inlet in plan.inlets
    ]
    outlets = [
        {
            "host": outlet.upstream.host,
            "port": outlet.upstream.port,
            "bind_port": outlet.bind_port,
            "bind": "127.0.0.1",
        }
        for outlet in plan.outlets
    ]
    said = {
        "namespace": namespace,
        "workload": config.name,
        "labels": sorted(labels(config).items()),
        "locality": config.locality,
        "inlets": inlets,
        "outlets": outlets,
        "http_proxy": ["127.0.0.1", plan.http_proxy] if plan.http_proxy else None,
        "gateway": _gateway(config.gateway) if config.gateway else None,
        "capture": _capture(config, plan.capture) if plan.capture else None,
        "metadata": config.metadata,
    }
    return msgspec.json.encode(said).decode("utf-8")


def _capture(config: AgentConfig, ports: CapturePorts) -> Json:
    return {
        "outbound": ports.outbound,
        "inbound": ports.inbound,
        "addresses": families(config.address),
        "mark": mark_of(ports.inbound),
        "way": ports.way,
    }


def _gateway(gateway: GatewayConfig) -> Json:
    return {
        "bind": gateway.bind,
        "port_offset": gateway.port_offset,
        "lowest_port": lowest_port(),
        "trusted_hops": gateway.trusted_hops,
        "proxy_protocol": gateway.proxy_protocol,
        "http3": gateway.http3,
    }


def labels(config: AgentConfig) -> dict[str, str]:
    """The workload's labels, as its ``WorkloadEntry`` has them."""
    said = dict(config.labels) | {
        "app": config.service,
        TLS_MODE_LABEL: "istio" if config.gateway is None else "disabled",
    }
    return said | ({"version": config.version} if config.version else {})


def peer(config: AgentConfig, issued: Issued) -> str:
    """The workload as the metrics of its callees name it."""
    return peer_of(config.name, issued.namespace, tuple(sorted(labels(config).items()))).text


def _node(config: AgentConfig, issued: Issued, plan: Plan) -> Json:
    return {
        "id": f"{config.name}.{issued.namespace}",
        # As Istio has it: Envoy's tracer of Zipkin calls its spans so, and nothing that is configured later.
        "cluster": f"{config.service}.{issued.namespace}",
        "metadata": {"weft": introduction(config, issued.namespace, plan)},
    }


def _dynamic() -> Json:
    ads = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    service = {
        "envoy_grpc": {
            "cluster_name": "xds",
            "retry_policy": {"retry_back_off": {"base_interval": "0.25s", "max_interval": "2s"}},
        }
    }
    return {
        "ads_config": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [service],
        },
        "cds_config": ads,
        "lds_config": ads,
    }


def _control_plane(issued: Issued, sockets: Sockets) -> Json:
    """The control plane's xDS port: believed only if its certificate has the control plane's own SPIFFE ID.

    Where there is a file with the way to it, it may also lead to the agent's replay, without TLS.
    """
    expected = control_plane(issued.trust_domain)
    return {
        **_way(issued.xds_address, sockets.way),
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [{"max_connections": 100_000, "max_requests": 100_000}]},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": _tls(expected)},
    }


def _way(xds_address: str, file: Path | None) -> Json:
    """A cluster whose endpoint is in a file, or is this address for good."""
    host, _, port = xds_address.rpartition(":")
    host = host.strip("[]")
    cluster = _grpc_cluster("xds", {"socket_address": {"address": host, "port_value": int(port)}})
    if file is None:
        return {**cluster, "type": "STATIC" if _is_address(host) else "STRICT_DNS"}
    del cluster["load_assignment"]
    plain = {"name": "envoy.transport_sockets.raw_buffer", "typed_config": {"@type": _RAW}}
    return {
        **cluster,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}},
        "transport_socket_matches": [{"name": "replay", "match": {REPLAYED: True}, "transport_socket": plain}],
    }


def _tls(expected: Identity) -> Json:
    return {
        "@type": f"{_TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificate_sds_secret_configs": [_secret(CERTIFICATE)],
            "combined_validation_context": {
                "default_validation_context": {
                    "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": expected.uri}}]
                },
                "validation_context_sds_secret_config": _secret(ROOTS),
            },
        },
    }


def _secret(name: str) -> Json:
    source = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "sds"}}],
    }
    config = {"api_config_source": source, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    return {"name": name, "sds_config": config}


def _agent(socket: Path) -> Json:
    return {**_grpc_cluster("sds", {"pipe": {"path": str(socket)}}), "type": "STATIC", "connect_timeout": "1s"}


def _grpc_cluster(name: str, address: Json) -> Json:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    http2 = {
        "connection_keepalive": {"interval": "5s", "timeout": "2s"},
        "initial_stream_window_size": STREAM_WINDOW,
    }
    return {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": http2},
            }
        },
    }


def _patterns() -> list[Json]:
    own = [
        {"prefix": prefix}
        for prefix in ("rate_limit.", "server.", "cluster_manager.", "listener_manager.", "control_plane.")
    ]
    return [{"safe_regex": {"regex": _STATS}}, *own, {"exact": UNWRITTEN}]


def _watchdog() -> Json:
    return {"miss_timeout": "2s", "megamiss_timeout": "10s"}


def _runtime(config: AgentConfig) -> Json:
    return RUNTIME if config.gateway else RUNTIME | _SHARED


def overload(config: AgentConfig) -> Json:
    """Shed load rather than be killed: a limit for the heap and one for connections."""
    most = config.gateway.most_connections if config.gateway else MOST_CONNECTIONS
    monitors = f"{_TYPES}.extensions.resource_monitors"
    return {
        "refresh_interval": "1s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "typed_config": {
                    "@type": f"{monitors}.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": config.most_heap * _MIB,
                },
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{monitors}.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": most,
                },
            },
        ],
        "actions": [
            _action("envoy.overload_actions.shrink_heap", 0.92),
            _action("envoy.overload_actions.stop_accepting_requests", 0.95),
            _action("envoy.overload_actions.stop_accepting_connections", 0.98),
        ],
    }


def _action(name: str, threshold: float) -> Json:
    trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": threshold}}
    return {"name": name, "triggers": [trigger]}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
