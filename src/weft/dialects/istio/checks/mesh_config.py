"""What must hold of MeshConfig (Istio: ``ValidateMeshConfig``)."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from weft.dialects.exports import check_export_to
from weft.dialects.findings import Findings, Here
from weft.dialects.istio.access_log_format import fault_in_format, fields_of
from weft.dialects.istio.checks.common import check_duration, check_labels
from weft.dialects.istio.checks.destination_rule import check_connection_pool, check_outliers
from weft.dialects.istio.checks.http_action import check_retries
from weft.dialects.istio.checks.locality import check_locality, check_zones
from weft.dialects.istio.checks.mesh_providers import check_providers
from weft.dialects.istio.checks.mesh_sinks import check_defaults
from weft.dialects.istio.checks.proxy_config import check_concurrency
from weft.dialects.istio.types import mesh_config as wire
from weft.dialects.syntax import fault_in_domain, is_dns_label, nanoseconds


def check_mesh_config(spec: wire.MeshConfig) -> Findings:
    """Everything beyond the shape."""
    here = Here()
    yield from check_duration(here.at("connectTimeout"), spec.connect_timeout)
    yield from _check_detection(here.at("protocolDetectionTimeout"), spec.protocol_detection_timeout)
    yield from check_duration(here.at("dnsRefreshRate"), spec.dns_refresh_rate)
    if spec.tcp_keepalive is not None:
        yield from check_duration(here.at("tcpKeepalive", "time"), spec.tcp_keepalive.time)
        yield from check_duration(here.at("tcpKeepalive", "interval"), spec.tcp_keepalive.interval)
    yield from _check_trust_domains(here, spec)
    for index, data in enumerate(spec.ca_certificates):
        yield from _check_anchor(here.at("caCertificates", index), data)
    if spec.root_namespace is not None and not is_dns_label(spec.root_namespace):
        yield here.at("rootNamespace").error("W0107", f'"{spec.root_namespace[:80]}" cannot be a namespace')
    yield from _check_exports(here, spec)
    yield from _check_traffic(here, spec)
    for index, selector in enumerate(spec.discovery_selectors):
        yield from _check_selector(here.at("discoverySelectors", index), selector)
    if spec.default_config is not None:
        yield from check_concurrency(here.at("defaultConfig", "concurrency"), spec.default_config.concurrency)
    yield from _check_access_log(here, spec)
    yield from check_providers(here.at("extensionProviders"), spec.extension_providers)
    yield from check_defaults(here, spec)


def _check_access_log(here: Here, spec: wire.MeshConfig) -> Findings:
    path, text, place = spec.access_log_file, spec.access_log_format, here.at("accessLogFormat")
    if path and (not path.startswith("/") or "\x00" in path):
        yield here.at("accessLogFile").error("W0102", "this is no absolute path", "write /dev/stdout, or a path")
    if not text:
        return
    if spec.access_log_encoding == "JSON" and fields_of(text) is None:
        yield place.error("W0102", "this is no JSON object of names and formats", 'write {"code": "%RESPONSE_CODE%"}')
    elif fault := fault_in_format(text):
        yield place.error("W0102", fault, "use Envoy's substitutions, and %% for a percent sign")


def _check_detection(here: Here, duration: str | None) -> Findings:
    """0 is for ever (Istio: ``ValidateProtocolDetectionTimeout``)."""
    if duration is not None and nanoseconds(duration) != 0:
        yield from check_duration(here, duration)


def _check_trust_domains(here: Here, spec: wire.MeshConfig) -> Findings:
    named = [(here.at("trustDomain"), spec.trust_domain)] if spec.trust_domain is not None else []
    named += [(here.at("trustDomainAliases", index), name) for index, name in enumerate(spec.trust_domain_aliases)]
    for place, name in named:
        if fault := fault_in_domain(name or ""):
            yield place.error("W0107", f"not a trust domain: {fault}", "use lower-case letters, digits, dots and -")


def _check_anchor(here: Here, data: wire.CertificateData) -> Findings:
    try:
        certificates = x509.load_pem_x509_certificates((data.pem or "").encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        yield here.at("pem").error("W0107", "there is no certificate in PEM", "give the certificates of the authority")
        return
    for certificate in certificates:
        if not _signs(certificate):
            yield here.at("pem").error("W0107", "a certificate is not one of an authority", "leave leaves out")
    for index, name in enumerate(data.trust_domains):
        if fault := fault_in_domain(name):
            yield here.at("trustDomains", index).error("W0107", f"not a trust domain: {fault}")


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _check_exports(here: Here, spec: wire.MeshConfig) -> Findings:
    defaults = {
        "defaultServiceExportTo": spec.default_service_export_to,
        "defaultVirtualServiceExportTo": spec.default_virtual_service_export_to,
        "defaultDestinationRuleExportTo": spec.default_destination_rule_export_to,
    }
    for field, export_to in defaults.items():
        yield from check_export_to(here.at(field), export_to, "", nobody_allowed=field == "defaultServiceExportTo")


def _check_traffic(here: Here, spec: wire.MeshConfig) -> Findings:
    policy = spec.default_traffic_policy
    if policy is not None:
        yield from check_connection_pool(here.at("defaultTrafficPolicy", "connectionPool"), policy.connection_pool)
        yield from check_outliers(here.at("defaultTrafficPolicy", "outlierDetection"), policy.outlier_detection)
    if spec.locality_lb_setting is not None:
        yield from check_locality(here.at("localityLbSetting"), spec.locality_lb_setting, ejects=True)
    if spec.zone_aware_lb_setting is not None:
        yield from check_zones(here, spec.zone_aware_lb_setting, beside=spec.locality_lb_setting is not None)
    retries = spec.default_http_retry_policy
    yield from check_retries(here.at("defaultHttpRetryPolicy"), retries)
    if retries is not None and retries.per_try_timeout is not None:
        message = "perTryTimeout cannot be set for the whole mesh"
        yield here.at("defaultHttpRetryPolicy", "perTryTimeout").error(
            "W0128", message, "set it in VirtualServices", at_key=True
        )


def _check_selector(here: Here, selector: wire.LabelSelector) -> Findings:
    """As Kubernetes has it: values for In and NotIn, and for these only."""
    yield from check_labels(here.at("matchLabels"), selector.match_labels)
    for index, one in enumerate(selector.match_expressions):
        place = here.at("matchExpressions", index, "values")
        compared = one.operator in ("In", "NotIn")
        if compared and not one.values:
            yield place.error("W0114", f"{one.operator} needs values", "add values")
        if one.values and not compared:
            yield place.error("W0114", f"{one.operator} has no values", "remove them", at_key=True)
