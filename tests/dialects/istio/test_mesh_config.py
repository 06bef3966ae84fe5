"""MeshConfig: what it says, what is refused and where, what of it is served."""

import csv
from typing import Any

import pytest

from tests.dialects.recorded import DATA, lines, needs_data
from weft.dialects.istio.checks.mesh_unserved import UNSERVED
from weft.dialects.istio.mesh_config import MeshConfigRead, read_mesh_config
from weft.dialects.istio.types.mesh_config import MeshConfig
from weft.model.finding import Severity, field_path
from weft.model.provider import Authorizer, BodyInCheck, HttpCheck
from weft.model.selector import LabelSelector, Operator, Requirement
from weft.model.settings import ClientCertificateHeader, GatewayTopology, PathNormalization, Settings
from weft.model.traffic import Failover, Keepalive, LocalityPreference, OutlierDetection

BASE = Settings()


def read(text: str) -> MeshConfigRead:
    return read_mesh_config(text, BASE)


def settings(text: str) -> Settings:
    found = read(text)
    assert found.settings is not None, found.findings
    return found.settings


def faults(text: str) -> list[tuple[str, str]]:
    found = read(text)
    assert found.settings is None
    return [(one.code, field_path(one.path)) for one in found.findings if one.severity is Severity.ERROR]


def test_nothing_said_leaves_everything_as_it_was() -> None:
    assert settings("") == settings("{}") == BASE


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("connectTimeout: 250ms", "connect_timeout", 250),
        ("protocolDetectionTimeout: 0s", "inspection_timeout", 0),
        ("dnsRefreshRate: 5s", "dns_refresh", 5000),
        ("tcpKeepalive: {time: 30s, probes: 3}", "keepalive", Keepalive(time=30_000, probes=3)),
        ("outboundTrafficPolicy: {mode: REGISTRY_ONLY}", "allow_any", False),
        ("outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}", "allow_any", True),
        ("inboundTrafficPolicy: {mode: LOCALHOST}", "allow_any", True),
        ("enableAutoMtls: false", "auto_mtls", False),
        ("trustDomainAliases: [old.example]", "trust_domain_aliases", ("old.example",)),
        ("defaultServiceExportTo: ['~']", "service_export_to", ("~",)),
        ("defaultVirtualServiceExportTo: ['.']", "route_export_to", (".",)),
        ("defaultDestinationRuleExportTo: ['.', shop]", "policy_export_to", (".", "shop")),
        ("h2UpgradePolicy: UPGRADE", "upgrade", True),
        ("defaultConfig: {concurrency: 0}", "concurrency", 0),
        ("h2UpgradePolicy: DO_NOT_UPGRADE", "upgrade", False),
        ("verifyCertificateAtClient: false", "verify_servers", False),
        ("pathNormalization: {normalization: DEFAULT}", "paths", None),
        ("pathNormalization: {normalization: MERGE_SLASHES}", "paths", PathNormalization.MERGE_SLASHES),
        ("localityLbSetting: {enabled: false}", "locality", LocalityPreference(enabled=False)),
        (
            "localityLbSetting: {failover: [{from: eu, to: us}]}",
            "locality",
            LocalityPreference(failover=(Failover(origin="eu", to="us"),)),
        ),
        (
            "defaultTrafficPolicy: {outlierDetection: {consecutive5xxErrors: 2}}",
            "default_outliers",
            OutlierDetection(consecutive_5xx=2),
        ),
        (
            "defaultConfig: {gatewayTopology: {numTrustedProxies: 2, forwardClientCertDetails: APPEND_FORWARD,"
            " proxyProtocol: {}}}",
            "topology",
            GatewayTopology(
                trusted_proxies=2, client_certificate=ClientCertificateHeader.APPEND_FORWARD, proxy_protocol=True
            ),
        ),
        (
            "discoverySelectors: [{matchLabels: {mesh: 'on'}}, {matchExpressions: [{key: tier, operator: Exists}]}]",
            "discovery",
            (
                LabelSelector(labels=(("mesh", "on"),)),
                LabelSelector(expressions=(Requirement(key="tier", operator=Operator.EXISTS),)),
            ),
        ),
    ],
)
def test_a_field_changes_its_setting_and_no_other(text: str, field: str, value: object) -> None:
    made = settings(text)
    assert getattr(made, field) == value
    others = [name for name in Settings.__struct_fields__ if getattr(made, name) != getattr(BASE, name)]
    assert others in ([field], [])


def test_default_retries_take_over_and_no_attempts_switch_them_off() -> None:
    retries = settings("defaultHttpRetryPolicy: {attempts: 5, retryOn: '503,reset', backoff: 10ms}").default_retries
    assert (retries.attempts, retries.on, retries.codes, retries.backoff) == (
        5,
        ("reset", "retriable-status-codes"),
        (503,),
        10,
    )
    assert settings("defaultHttpRetryPolicy: {attempts: 0}").default_retries.attempts == 0


def test_a_provider_that_is_asked_by_grpc() -> None:
    (provider,) = settings(
        "extensionProviders: [{name: ask, envoyExtAuthzGrpc: {service: shop/ask.shop.svc.cluster.local, port: 9000,"
        " timeout: 2s, failOpen: true, statusOnError: '503',"
        " includeRequestBodyInCheck: {maxRequestBytes: 10, allowPartialMessage: true, packAsBytes: true}}}]"
    ).providers
    assert provider.name == "ask"
    assert provider.authorizer == Authorizer(
        service="ask.shop.svc.cluster.local",
        port=9000,
        namespace="shop",
        timeout=2000,
        fail_open=True,
        status_on_error=503,
        body=BodyInCheck(max_bytes=10, partial=True, raw=True),
    )


def test_a_provider_that_is_asked_by_http() -> None:
    (provider,) = settings(
        "extensionProviders: [{name: ask, envoyExtAuthzHttp: {service: ask.example, port: 80, pathPrefix: /check,"
        " includeRequestHeadersInCheck: [cookie, x-*], includeAdditionalHeadersInCheck: {x-by: weft},"
        " headersToUpstreamOnAllow: [x-user], headersToDownstreamOnDeny: ['*-reason'],"
        " headersToDownstreamOnAllow: [set-cookie]}}]"
    ).providers
    assert provider.authorizer.http == HttpCheck(
        path_prefix="/check",
        request_headers=("cookie", "x-*"),
        additional_headers=(("x-by", "weft"),),
        to_upstream_on_allow=("x-user",),
        to_downstream_on_deny=("*-reason",),
        to_downstream_on_allow=("set-cookie",),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connectTimeout: 1us", [("W0108", "connectTimeout")]),
        ("connectTimeout: -1s", [("W0108", "connectTimeout")]),
        ("connectTimeout: soon", [("W0108", "connectTimeout")]),
        ("conectTimeout: 1s", [("W0101", "conectTimeout")]),
        ("outboundTrafficPolicy: {mode: MAYBE}", [("W0102", "outboundTrafficPolicy.mode")]),
        ("inboundTrafficPolicy: {mode: PASSTHROUGH}", [("W0102", "inboundTrafficPolicy.mode")]),
        ("trustDomain: 'a b'", [("W0107", "trustDomain")]),
        ("trustDomainAliases: [ok, '']", [("W0107", "trustDomainAliases[1]")]),
        ("caCertificates: [{pem: nothing}]", [("W0107", "caCertificates[0].pem")]),
        (
            "caCertificates: [{spiffeBundleUrl: https://a}]",
            [("W0110", "caCertificates[0].spiffeBundleUrl"), ("W0107", "caCertificates[0].pem")],
        ),
        ("rootNamespace: A_B", [("W0107", "rootNamespace")]),
        ("defaultVirtualServiceExportTo: ['~']", [("W0113", "defaultVirtualServiceExportTo[0]")]),
        (
            "defaultHttpRetryPolicy: {attempts: 2, perTryTimeout: 1s}",
            [("W0128", "defaultHttpRetryPolicy.perTryTimeout")],
        ),
        ("defaultHttpRetryPolicy: {attempts: 2, retryOn: whim}", [("W0120", "defaultHttpRetryPolicy.retryOn")]),
        ("localityLbSetting: {distribute: [{from: a, to: {b: 7}}]}", [("W0111", "localityLbSetting.distribute[0].to")]),
        ("defaultConfig: {concurrency: -1}", [("W0111", "defaultConfig.concurrency")]),
        ("accessLogFile: stdout", [("W0102", "accessLogFile")]),
        ("{accessLogFile: /a, accessLogFormat: '%NOTHING%'}", [("W0102", "accessLogFormat")]),
        ("{accessLogFile: /a, accessLogFormat: '50% of %PROTOCOL%'}", [("W0102", "accessLogFormat")]),
        ("{accessLogFile: /a, accessLogEncoding: JSON, accessLogFormat: '[1]'}", [("W0102", "accessLogFormat")]),
        ("enablePrometheusMerge: true", [("W0110", "enablePrometheusMerge")]),
        ("defaultConfig: {tracing: {zipkin: {}}}", [("W0110", "defaultConfig.tracing.zipkin")]),
        ("defaultConfig: {tracing: {sampling: 101}}", [("W0111", "defaultConfig.tracing.sampling")]),
        ("defaultConfig: {tracing: {customTags: {a: {}}}}", [("W0105", "defaultConfig.tracing.customTags.a")]),
        ("defaultProviders: {tracing: [a]}", [("W0257", "defaultProviders.tracing[0]")]),
        ("defaultProviders: {accessLogging: [prometheus]}", [("W0257", "defaultProviders.accessLogging[0]")]),
        ("extensionProviders: [{name: a, lightstep: {}}]", [("W0110", "extensionProviders[0].lightstep")]),
        (
            "extensionProviders: [{name: a, zipkin: {service: z.a, port: 0}}]",
            [("W0115", "extensionProviders[0].zipkin.port")],
        ),
        (
            "extensionProviders: [{name: a, envoyFileAccessLog: {path: a}}]",
            [("W0102", "extensionProviders[0].envoyFileAccessLog.path")],
        ),
        (
            "extensionProviders: [{name: a, envoyFileAccessLog: {logFormat: {labels: {a: {b: ['%NO%']}}}}}]",
            [("W0102", "extensionProviders[0].envoyFileAccessLog.logFormat.labels.a.b[0]")],
        ),
        (
            "extensionProviders: [{name: a, opentelemetry: {service: z.a, port: 1, http: {path: a}}}]",
            [("W0122", "extensionProviders[0].opentelemetry.http.path")],
        ),
        (
            "extensionProviders: [{name: a, opentelemetry: {service: z.a, port: 1, grpc: {}, http: {path: /a}}}]",
            [("W0106", "extensionProviders[0].opentelemetry.grpc")],
        ),
        (
            "extensionProviders: [{name: a, opentelemetry: {service: z.a, port: 1, grpc: {initialMetadata:"
            " [{name: a, envName: B}]}}}]",
            [("W0110", "extensionProviders[0].opentelemetry.grpc.initialMetadata[0].envName")],
        ),
        ("extensionProviders: [{name: a}]", [("W0105", "extensionProviders[0]")]),
        (
            "discoverySelectors: [{matchExpressions: [{key: a, operator: In}]}]",
            [("W0114", "discoverySelectors[0].matchExpressions[0].values")],
        ),
        ("a: [", [("W0001", "")]),
        ("a: 1\n---\nb: 2", [("W0117", "")]),
        ("just a text", [("W0102", "")]),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_nothing_of_it_is_served(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert faults(text) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("service: 'a b', port: 80", [("W0107", "service")]),
        ("service: A_/a.b, port: 80", [("W0107", "service")]),
        ("service: a.b, port: 0", [("W0115", "port")]),
        ("service: a.b, port: 80, statusOnError: '99'", [("W0124", "statusOnError")]),
        (
            "service: a.b, port: 80, includeRequestBodyInCheck: {}",
            [("W0111", "includeRequestBodyInCheck.maxRequestBytes")],
        ),
        ("service: a.b, port: 80, pathPrefix: check", [("W0122", "pathPrefix")]),
        ("service: a.b, port: 80, headersToUpstreamOnAllow: ['a*b']", [("W0112", "headersToUpstreamOnAllow[0]")]),
        ("port: 80", [("W0105", "service")]),
    ],
)
def test_providers_are_checked(asked: str, expected: list[tuple[str, str]]) -> None:
    place = "extensionProviders[0].envoyExtAuthzHttp."
    text = f"extensionProviders: [{{name: ask, envoyExtAuthzHttp: {{{asked}}}}}]"
    assert faults(text) == [(code, place + field) for code, field in expected]


def test_every_refused_field_says_why() -> None:
    (finding,) = read("enablePrometheusMerge: true").findings
    assert finding.message.startswith("enablePrometheusMerge is not served")
    assert finding.help
    assert all(UNSERVED.values())


@needs_data
def test_every_field_of_istio_is_served_or_refused_by_name() -> None:
    with (DATA / "meshconfig" / "MeshConfig.fields.tsv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not row["type"].strip().startswith("enum")]
    own = [row for row in rows if row["message"] == "MeshConfig" or row["message"].endswith(".ResourceDetectors")]
    detectors = {"environment", "dynatrace"}
    names = {_camel(row["field"]) for row in own} - detectors
    served = {field.alias for field in MeshConfig.model_fields.values()}
    assert names == served | {str(place[0]) for place in UNSERVED if len(place) == 1}


@needs_data
def test_every_field_of_proxies_is_served_or_refused_by_name() -> None:
    with (DATA / "meshconfig" / "ProxyConfig.fields.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = {_camel(row["field"]) for row in rows if row["message"] == "Topology.ProxyConfig"}
    unserved = {str(place[1]) for place in UNSERVED if place[0] == "defaultConfig" and len(place) == 2}
    assert names == unserved | {"gatewayTopology", "concurrency", "tracing", "tracingServiceName"}


def _camel(name: str) -> str:
    if name == "mesh_mTLS":
        return "meshMTLS"
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _recorded(function: str) -> list[dict[str, Any]]:
    return [case for case in lines("validation/scalar_and_mesh_cases.jsonl") if case["func"] == function]


@needs_data
@pytest.mark.parametrize("case", _recorded("ValidateProtocolDetectionTimeout"))
def test_the_time_of_detection_is_judged_as_istio_judges_it(case: dict[str, Any]) -> None:
    refused = read(f"protocolDetectionTimeout: {case['args'][0]['value']}").settings is None
    assert refused == (case["error"] is not None)
