"""The part of Envoy's API that weft speaks: these files and everything they import are generated.

Kept as one list so that an extension weft starts to use is one line here; a root that a new Envoy no longer has stops
the build with its name.
"""

from __future__ import annotations


def _under(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}/{name}.proto" for name in names)


_CONFIG = _under(
    "envoy/config",
    "accesslog/v3/accesslog",
    "bootstrap/v3/bootstrap",
    "cluster/v3/cluster",
    "common/mutation_rules/v3/mutation_rules",
    "endpoint/v3/endpoint",
    "listener/v3/listener",
    "metrics/v3/metrics_service",
    "metrics/v3/stats",
    "overload/v3/overload",
    "ratelimit/v3/rls",
    "rbac/v3/rbac",
    "route/v3/route",
    "route/v3/scoped_route",
    "trace/v3/opentelemetry",
    "trace/v3/zipkin",
)

_SERVICES = _under(
    "envoy/service",
    "accesslog/v3/als",
    "auth/v3/external_auth",
    "cluster/v3/cds",
    "discovery/v3/ads",
    "endpoint/v3/eds",
    "ext_proc/v3/external_processor",
    "extension/v3/config_discovery",
    "health/v3/hds",
    "listener/v3/lds",
    "load_stats/v3/lrs",
    "metrics/v3/metrics_service",
    "ratelimit/v3/rls",
    "route/v3/rds",
    "route/v3/srds",
    "runtime/v3/rtds",
    "secret/v3/sds",
)

_HTTP_FILTERS = _under(
    "envoy/extensions/filters/http",
    "adaptive_concurrency/v3/adaptive_concurrency",
    "admission_control/v3/admission_control",
    "bandwidth_limit/v3/bandwidth_limit",
    "basic_auth/v3/basic_auth",
    "buffer/v3/buffer",
    "composite/v3/composite",
    "compressor/v3/compressor",
    "cors/v3/cors",
    "credential_injector/v3/credential_injector",
    "csrf/v3/csrf",
    "custom_response/v3/custom_response",
    "decompressor/v3/decompressor",
    "dynamic_forward_proxy/v3/dynamic_forward_proxy",
    "ext_authz/v3/ext_authz",
    "ext_proc/v3/ext_proc",
    "fault/v3/fault",
    "grpc_http1_bridge/v3/config",
    "grpc_json_transcoder/v3/transcoder",
    "grpc_stats/v3/config",
    "grpc_web/v3/grpc_web",
    "header_mutation/v3/header_mutation",
    "header_to_metadata/v3/header_to_metadata",
    "health_check/v3/health_check",
    "jwt_authn/v3/config",
    "local_ratelimit/v3/local_rate_limit",
    "lua/v3/lua",
    "oauth2/v3/oauth",
    "on_demand/v3/on_demand",
    "original_src/v3/original_src",
    "ratelimit/v3/rate_limit",
    "rbac/v3/rbac",
    "router/v3/router",
    "set_filter_state/v3/set_filter_state",
    "set_metadata/v3/set_metadata",
    "stateful_session/v3/stateful_session",
    "tap/v3/tap",
    "upstream_codec/v3/upstream_codec",
    "wasm/v3/wasm",
)

_NETWORK_FILTERS = _under(
    "envoy/extensions/filters/network",
    "connection_limit/v3/connection_limit",
    "direct_response/v3/config",
    "echo/v3/echo",
    "ext_authz/v3/ext_authz",
    "http_connection_manager/v3/http_connection_manager",
    "local_ratelimit/v3/local_rate_limit",
    "mongo_proxy/v3/mongo_proxy",
    "ratelimit/v3/rate_limit",
    "rbac/v3/rbac",
    "redis_proxy/v3/redis_proxy",
    "set_filter_state/v3/set_filter_state",
    "sni_cluster/v3/sni_cluster",
    "sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy",
    "tcp_proxy/v3/tcp_proxy",
    "wasm/v3/wasm",
)

_LISTENER_FILTERS = _under(
    "envoy/extensions/filters/listener",
    "http_inspector/v3/http_inspector",
    "local_ratelimit/v3/local_ratelimit",
    "original_dst/v3/original_dst",
    "original_src/v3/original_src",
    "proxy_protocol/v3/proxy_protocol",
    "tls_inspector/v3/tls_inspector",
)

_ACCESS_LOGGERS = _under(
    "envoy/extensions/access_loggers",
    "file/v3/file",
    "filters/cel/v3/cel",
    "grpc/v3/als",
    "stats/v3/stats",
    "stream/v3/stream",
)

_CLUSTERS = _under(
    "envoy/extensions",
    "clusters/aggregate/v3/cluster",
    "clusters/dns/v3/dns_cluster",
    "clusters/dynamic_forward_proxy/v3/cluster",
    "clusters/original_dst/v3/original_dst",
    "load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin",
    "load_balancing_policies/cluster_provided/v3/cluster_provided",
    "load_balancing_policies/least_request/v3/least_request",
    "load_balancing_policies/maglev/v3/maglev",
    "load_balancing_policies/override_host/v3/override_host",
    "load_balancing_policies/random/v3/random",
    "load_balancing_policies/ring_hash/v3/ring_hash",
    "load_balancing_policies/round_robin/v3/round_robin",
    "load_balancing_policies/subset/v3/subset",
    "load_balancing_policies/wrr_locality/v3/wrr_locality",
    "network/dns_resolver/cares/v3/cares_dns_resolver",
    "network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver",
    "retry/host/omit_canary_hosts/v3/omit_canary_hosts",
    "retry/host/omit_host_metadata/v3/omit_host_metadata_config",
    "retry/host/previous_hosts/v3/previous_hosts",
    "retry/priority/previous_priorities/v3/previous_priorities_config",
    "upstreams/http/generic/v3/generic_connection_pool",
    "upstreams/http/tcp/v3/tcp_connection_pool",
    "upstreams/http/v3/http_protocol_options",
    "upstreams/tcp/v3/tcp_protocol_options",
)

_TRANSPORT_SOCKETS = _under(
    "envoy/extensions/transport_sockets",
    "http_11_proxy/v3/upstream_http_11_connect",
    "internal_upstream/v3/internal_upstream",
    "proxy_protocol/v3/upstream_proxy_protocol",
    "quic/v3/quic_transport",
    "raw_buffer/v3/raw_buffer",
    "starttls/v3/starttls",
    "tap/v3/tap",
    "tls/v3/tls",
    "tls/v3/tls_spiffe_validator_config",
)

_MATCHING = (
    *_under(
        "envoy/extensions",
        "common/matching/v3/extension_matcher",
        "filters/common/matcher/action/v3/skip_action",
        "internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config",
        "matching/common_inputs/environment_variable/v3/input",
        "matching/common_inputs/network/v3/network_inputs",
        "matching/common_inputs/ssl/v3/ssl_inputs",
        "matching/common_inputs/transport_socket/v3/transport_socket_inputs",
        "matching/input_matchers/consistent_hashing/v3/consistent_hashing",
        "matching/input_matchers/ip/v3/ip",
        "matching/input_matchers/metadata/v3/metadata",
        "matching/input_matchers/runtime_fraction/v3/runtime_fraction",
        "path/match/uri_template/v3/uri_template_match",
        "path/rewrite/uri_template/v3/uri_template_rewrite",
        "rbac/matchers/upstream_ip_port/v3/upstream_ip_port_matcher",
        "rbac/principals/mtls_authenticated/v3/mtls_authenticated",
        "regex_engines/v3/google_re2",
    ),
    *_under(
        "envoy/type/matcher/v3",
        "http_inputs",
        "path",
        "status_code_input",
    ),
    *_under(
        "xds/type/matcher/v3",
        "cel",
        "domain",
        "http_inputs",
        "ip",
        "matcher",
        "range",
    ),
)

_OTHERS = _under(
    "envoy/extensions",
    "bootstrap/internal_listener/v3/internal_listener",
    "compression/brotli/compressor/v3/brotli",
    "compression/gzip/compressor/v3/gzip",
    "compression/gzip/decompressor/v3/gzip",
    "compression/zstd/compressor/v3/zstd",
    "filters/udp/dns_filter/v3/dns_filter",
    "filters/udp/udp_proxy/v3/udp_proxy",
    "formatter/cel/v3/cel",
    "formatter/metadata/v3/metadata",
    "formatter/req_without_query/v3/req_without_query",
    "health_check/event_sinks/file/v3/file",
    "http/custom_response/local_response_policy/v3/local_response_policy",
    "http/early_header_mutation/header_mutation/v3/header_mutation",
    "http/header_formatters/preserve_case/v3/preserve_case",
    "http/injected_credentials/generic/v3/generic",
    "http/original_ip_detection/custom_header/v3/custom_header",
    "http/original_ip_detection/xff/v3/xff",
    "http/stateful_session/cookie/v3/cookie",
    "http/stateful_session/header/v3/header",
    "request_id/uuid/v3/uuid",
    "resource_monitors/cgroup_memory/v3/cgroup_memory",
    "resource_monitors/downstream_connections/v3/downstream_connections",
    "resource_monitors/fixed_heap/v3/fixed_heap",
    "stat_sinks/graphite_statsd/v3/graphite_statsd",
    "tracers/opentelemetry/resource_detectors/v3/environment_resource_detector",
    "tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector",
    "tracers/opentelemetry/samplers/v3/always_on_sampler",
    "tracers/opentelemetry/samplers/v3/parent_based_sampler",
    "tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler",
    "wasm/v3/wasm",
)

_ADMIN = _under(
    "envoy/admin/v3",
    "certs",
    "clusters",
    "config_dump",
    "init_dump",
    "listeners",
    "memory",
    "metrics",
    "server_info",
    "tap",
)

_DATA = _under(
    "envoy/data",
    "accesslog/v3/accesslog",
    "cluster/v3/outlier_detection_event",
    "core/v3/health_check_event",
    "tap/v3/wrapper",
)

ROOTS: frozenset[str] = frozenset(
    (
        *_CONFIG,
        *_SERVICES,
        *_HTTP_FILTERS,
        *_NETWORK_FILTERS,
        *_LISTENER_FILTERS,
        *_ACCESS_LOGGERS,
        *_CLUSTERS,
        *_TRANSPORT_SOCKETS,
        *_MATCHING,
        *_OTHERS,
        *_ADMIN,
        *_DATA,
    )
)
