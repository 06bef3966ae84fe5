"""MeshConfig in the model's words: what it says over what was there before."""

from typing import Any

from msgspec.structs import replace

from weft.dialects.istio.access_log_format import fields_of
from weft.dialects.istio.translate.destination_rule import connection_pool, keepalive_of, outliers_of
from weft.dialects.istio.translate.http_route import retries_of
from weft.dialects.istio.translate.load_balancing import near_of
from weft.dialects.istio.translate.mesh_sinks import default_sinks, named_sinks, tracing_defaults
from weft.dialects.istio.types import mesh_config as wire
from weft.dialects.istio.types import mesh_providers as providers
from weft.dialects.syntax import milliseconds
from weft.kit.value import labels_of
from weft.model.access_log import FileLog, default_fields, default_text
from weft.model.provider import Authorizer, BodyInCheck, ExtensionProvider, HttpCheck
from weft.model.selector import LabelSelector, Operator, Requirement
from weft.model.settings import ClientCertificateHeader, GatewayTopology, PathNormalization, Settings
from weft.model.trust_anchor import TrustAnchor


def settings_with(spec: wire.MeshConfig, base: Settings) -> Settings:
    """The settings that a checked configuration makes of others; what it does not say stays."""
    said: dict[str, Any] = {
        "trust_domain": spec.trust_domain,
        "trust_domain_aliases": spec.trust_domain_aliases or None,
        "trust_anchors": tuple(_anchor(one) for one in spec.ca_certificates) or None,
        "root_namespace": spec.root_namespace,
        "connect_timeout": milliseconds(spec.connect_timeout),
        "inspection_timeout": milliseconds(spec.protocol_detection_timeout),
        "dns_refresh": milliseconds(spec.dns_refresh_rate),
        "keepalive": keepalive_of(spec.tcp_keepalive),
        "locality": near_of(spec.locality_lb_setting, spec.zone_aware_lb_setting),
        "auto_mtls": spec.enable_auto_mtls,
        "verify_servers": spec.verify_certificate_at_client,
        "service_export_to": spec.default_service_export_to or None,
        "route_export_to": spec.default_virtual_service_export_to or None,
        "policy_export_to": spec.default_destination_rule_export_to or None,
        "providers": tuple(found for one in spec.extension_providers if (found := _provider(one)) is not None) or None,
        "sinks": named_sinks(spec.extension_providers) or None,
        "default_sinks": default_sinks(spec.default_providers) if spec.default_providers else None,
        "tracing": tracing_defaults(spec, base.tracing),
        "stdout": _lines(spec, "/dev/stdout") if spec.access_log_format or spec.access_log_encoding else None,
        "discovery": tuple(_selector(one) for one in spec.discovery_selectors) or None,
        "access_log": _access_log(spec),
        **_modes(spec),
        **_defaults(spec, base),
    }
    return replace(base, **{name: value for name, value in said.items() if value is not None})


def _access_log(spec: wire.MeshConfig) -> FileLog | None:
    return _lines(spec, spec.access_log_file) if spec.access_log_file else None


def _lines(spec: wire.MeshConfig, path: str) -> FileLog:
    if spec.access_log_encoding == "JSON":
        given = fields_of(spec.access_log_format) if spec.access_log_format else None
        return FileLog(path=path, fields=given or default_fields())
    text = spec.access_log_format or default_text()
    return FileLog(path=path, text=text if text.endswith("\n") else f"{text}\n")


def _anchor(data: wire.CertificateData) -> TrustAnchor:
    return TrustAnchor(pem=f"{(data.pem or '').strip()}\n", domains=data.trust_domains)


def _modes(spec: wire.MeshConfig) -> dict[str, Any]:
    outbound, paths = spec.outbound_traffic_policy, spec.path_normalization
    normalization = paths.normalization if paths else None
    return {
        "allow_any": outbound.mode != "REGISTRY_ONLY" if outbound and outbound.mode else None,
        "upgrade": None if spec.h2_upgrade_policy is None else spec.h2_upgrade_policy == "UPGRADE",
        "paths": None if normalization in (None, "DEFAULT") else PathNormalization(normalization),
    }


def _defaults(spec: wire.MeshConfig, base: Settings) -> dict[str, Any]:
    retries, traffic, proxies = spec.default_http_retry_policy, spec.default_traffic_policy, spec.default_config
    return {
        "default_retries": None if retries is None else retries_of(retries, base.default_retries),
        "default_pool": connection_pool(traffic.connection_pool) if traffic else None,
        "default_outliers": outliers_of(traffic.outlier_detection) if traffic else None,
        "concurrency": proxies.concurrency if proxies else None,
        "topology": _topology(proxies.gateway_topology) if proxies and proxies.gateway_topology else None,
    }


def _topology(topology: wire.Topology) -> GatewayTopology:
    details = topology.forward_client_cert_details
    return GatewayTopology(
        trusted_proxies=topology.num_trusted_proxies or 0,
        client_certificate=None if details in (None, "UNDEFINED") else ClientCertificateHeader(details),
        proxy_protocol=topology.proxy_protocol is not None,
    )


def _selector(selector: wire.LabelSelector) -> LabelSelector:
    return LabelSelector(
        labels=labels_of(selector.match_labels),
        expressions=tuple(
            Requirement(key=one.key, operator=Operator(one.operator), values=one.values)
            for one in selector.match_expressions
        ),
    )


def _provider(provider: providers.ExtensionProvider) -> ExtensionProvider | None:
    asked = provider.envoy_ext_authz_http or provider.envoy_ext_authz_grpc
    return None if asked is None else ExtensionProvider(name=provider.name, authorizer=_authorizer(asked))


def _authorizer(asked: providers.AuthorizationGrpcProvider) -> Authorizer:
    namespace, _, host = asked.service.rpartition("/")
    usual = Authorizer(service=host.lower().removesuffix("."), port=asked.port, namespace=namespace)
    body = asked.include_request_body_in_check
    timeout = milliseconds(asked.timeout)
    return replace(
        usual,
        timeout=usual.timeout if timeout is None else timeout,
        fail_open=bool(asked.fail_open),
        clear_route_cache=bool(asked.clear_route_cache),
        status_on_error=int(asked.status_on_error) if asked.status_on_error else None,
        body=_body(body) if body else None,
        http=_http(asked) if isinstance(asked, providers.AuthorizationHttpProvider) else None,
    )


def _body(body: providers.BodyInCheck) -> BodyInCheck:
    return BodyInCheck(
        max_bytes=body.max_request_bytes or 0, partial=bool(body.allow_partial_message), raw=bool(body.pack_as_bytes)
    )


def _http(asked: providers.AuthorizationHttpProvider) -> HttpCheck:
    """The deprecated list counts where the other is empty, as in Istio."""
    return HttpCheck(
        path_prefix=asked.path_prefix or "",
        request_headers=asked.include_request_headers_in_check or asked.include_headers_in_check,
        additional_headers=labels_of(asked.include_additional_headers_in_check),
        to_upstream_on_allow=asked.headers_to_upstream_on_allow,
        to_downstream_on_allow=asked.headers_to_downstream_on_allow,
        to_downstream_on_deny=asked.headers_to_downstream_on_deny,
    )
