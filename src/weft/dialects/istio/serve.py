"""The kinds of Istio that weft serves."""

from weft.dialects.istio.checks.authorization_policy import check_authorization_policy
from weft.dialects.istio.checks.destination_rule import check_destination_rule
from weft.dialects.istio.checks.envoy_filter import check_envoy_filter
from weft.dialects.istio.checks.gateway import check_gateway
from weft.dialects.istio.checks.peer_authentication import check_peer_authentication
from weft.dialects.istio.checks.proxy_config import check_proxy_config
from weft.dialects.istio.checks.request_authentication import check_request_authentication
from weft.dialects.istio.checks.service_entry import check_service_entry
from weft.dialects.istio.checks.sidecar import check_sidecar
from weft.dialects.istio.checks.telemetry import check_telemetry
from weft.dialects.istio.checks.virtual_service import check_virtual_service
from weft.dialects.istio.checks.wasm_plugin import check_traffic_extension, check_wasm_plugin
from weft.dialects.istio.checks.workload_entry import check_workload_entry
from weft.dialects.istio.checks.workload_group import check_workload_group
from weft.dialects.istio.translate import (
    authorization_policy,
    destination_rule,
    envoy_filter,
    gateway,
    peer_authentication,
    proxy_config,
    request_authentication,
    service_entry,
    sidecar,
    telemetry,
    virtual_service,
    wasm_plugin,
    workload_entry,
    workload_group,
)
from weft.dialects.istio.types.authorization_policy import AuthorizationPolicy
from weft.dialects.istio.types.destination_rule import DestinationRule
from weft.dialects.istio.types.envoy_filter import EnvoyFilter
from weft.dialects.istio.types.gateway import Gateway
from weft.dialects.istio.types.peer_authentication import PeerAuthentication
from weft.dialects.istio.types.proxy_config import ProxyConfig
from weft.dialects.istio.types.request_authentication import RequestAuthentication
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.istio.types.sidecar import Sidecar
from weft.dialects.istio.types.telemetry import Telemetry
from weft.dialects.istio.types.virtual_service import VirtualService
from weft.dialects.istio.types.wasm_plugin import TrafficExtension, WasmPlugin
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.istio.types.workload_group import WorkloadGroup
from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.served import Served

_CATEGORIES = ("istio-io", "networking-istio-io")
_NETWORKING = ("v1", "v1beta1", "v1alpha3")

VIRTUAL_SERVICE = Kind(
    group="networking.istio.io",
    kind="VirtualService",
    plural="virtualservices",
    singular="virtualservice",
    versions=_NETWORKING,
    short_names=("vs",),
    categories=_CATEGORIES,
    columns=(
        Column(name="Gateways", json_path=".spec.gateways", description="Where the rules hold."),
        Column(name="Hosts", json_path=".spec.hosts", description="Hosts that are called."),
        AGE,
    ),
)
DESTINATION_RULE = Kind(
    group="networking.istio.io",
    kind="DestinationRule",
    plural="destinationrules",
    singular="destinationrule",
    versions=_NETWORKING,
    short_names=("dr",),
    categories=_CATEGORIES,
    columns=(Column(name="Host", json_path=".spec.host", description="The destination."), AGE),
)
SERVICE_ENTRY = Kind(
    group="networking.istio.io",
    kind="ServiceEntry",
    plural="serviceentries",
    singular="serviceentry",
    versions=_NETWORKING,
    short_names=("se",),
    categories=_CATEGORIES,
    columns=(
        Column(name="Hosts", json_path=".spec.hosts", description="Names that callers use."),
        Column(name="Location", json_path=".spec.location", description="Whether it is part of the mesh."),
        Column(name="Resolution", json_path=".spec.resolution", description="How its endpoints are found."),
        AGE,
    ),
)
_HEALTHY = '.status.conditions[?(@.type=="Healthy")]'
WORKLOAD_ENTRY = Kind(
    group="networking.istio.io",
    kind="WorkloadEntry",
    plural="workloadentries",
    singular="workloadentry",
    versions=_NETWORKING,
    short_names=("we",),
    categories=_CATEGORIES,
    columns=(
        AGE,
        Column(name="Address", json_path=".spec.address", description="Where it is reached."),
        Column(name="Healthy", json_path=f"{_HEALTHY}.status", description="Whether its agent finds it well."),
        Column(name="Reason", json_path=f"{_HEALTHY}.reason", description="Why it is not called: it drains or flaps."),
        Column(name="Message", json_path=f"{_HEALTHY}.message", description="More of that.", priority=1),
    ),
)
WORKLOAD_GROUP = Kind(
    group="networking.istio.io",
    kind="WorkloadGroup",
    plural="workloadgroups",
    singular="workloadgroup",
    versions=_NETWORKING,
    short_names=("wg",),
    categories=_CATEGORIES,
    columns=(AGE,),
)
SIDECAR = Kind(
    group="networking.istio.io",
    kind="Sidecar",
    plural="sidecars",
    singular="sidecar",
    versions=_NETWORKING,
    categories=_CATEGORIES,
    columns=(
        Column(name="Selector", json_path=".spec.workloadSelector.labels", description="Workloads that it is for."),
        AGE,
    ),
)
GATEWAY = Kind(
    group="networking.istio.io",
    kind="Gateway",
    plural="gateways",
    singular="gateway",
    versions=_NETWORKING,
    short_names=("gw",),
    categories=_CATEGORIES,
    columns=(Column(name="Selector", json_path=".spec.selector", description="Labels of its proxies."), AGE),
)
PEER_AUTHENTICATION = Kind(
    group="security.istio.io",
    kind="PeerAuthentication",
    plural="peerauthentications",
    singular="peerauthentication",
    versions=("v1", "v1beta1"),
    short_names=("pa",),
    categories=("istio-io", "security-istio-io"),
    columns=(Column(name="Mode", json_path=".spec.mtls.mode", description="What callers must prove."), AGE),
)
AUTHORIZATION_POLICY = Kind(
    group="security.istio.io",
    kind="AuthorizationPolicy",
    plural="authorizationpolicies",
    singular="authorizationpolicy",
    versions=("v1", "v1beta1"),
    short_names=("ap",),
    categories=("istio-io", "security-istio-io"),
    columns=(Column(name="Action", json_path=".spec.action", description="What is done to requests."), AGE),
)
REQUEST_AUTHENTICATION = Kind(
    group="security.istio.io",
    kind="RequestAuthentication",
    plural="requestauthentications",
    singular="requestauthentication",
    versions=("v1", "v1beta1"),
    short_names=("ra",),
    categories=("istio-io", "security-istio-io"),
    columns=(AGE,),
)
ENVOY_FILTER = Kind(
    group="networking.istio.io",
    kind="EnvoyFilter",
    plural="envoyfilters",
    singular="envoyfilter",
    versions=("v1alpha3",),
    categories=_CATEGORIES,
    columns=(AGE,),
)
PROXY_CONFIG = Kind(
    group="networking.istio.io",
    kind="ProxyConfig",
    plural="proxyconfigs",
    singular="proxyconfig",
    versions=("v1beta1",),
    categories=_CATEGORIES,
    columns=(Column(name="Concurrency", json_path=".spec.concurrency", description="Worker threads."), AGE),
)
WASM_PLUGIN = Kind(
    group="extensions.istio.io",
    kind="WasmPlugin",
    plural="wasmplugins",
    singular="wasmplugin",
    versions=("v1alpha1",),
    categories=("istio-io", "extensions-istio-io"),
    columns=(AGE,),
)
TRAFFIC_EXTENSION = Kind(
    group="extensions.istio.io",
    kind="TrafficExtension",
    plural="trafficextensions",
    singular="trafficextension",
    versions=("v1alpha1",),
    categories=("istio-io", "extensions-istio-io"),
    columns=(AGE,),
)
TELEMETRY = Kind(
    group="telemetry.istio.io",
    kind="Telemetry",
    plural="telemetries",
    singular="telemetry",
    versions=("v1", "v1alpha1"),
    short_names=("telemetry",),
    categories=("istio-io", "telemetry-istio-io"),
    columns=(AGE,),
)

SERVED = (
    Served(kind=VIRTUAL_SERVICE, spec=VirtualService, check=check_virtual_service, translate=virtual_service.translate),
    Served(
        kind=DESTINATION_RULE, spec=DestinationRule, check=check_destination_rule, translate=destination_rule.translate
    ),
    Served(kind=SERVICE_ENTRY, spec=ServiceEntry, check=check_service_entry, translate=service_entry.translate),
    Served(kind=GATEWAY, spec=Gateway, check=check_gateway, translate=gateway.translate),
    Served(kind=WORKLOAD_ENTRY, spec=WorkloadEntry, check=check_workload_entry, translate=workload_entry.translate),
    Served(kind=WORKLOAD_GROUP, spec=WorkloadGroup, check=check_workload_group, translate=workload_group.translate),
    Served(kind=SIDECAR, spec=Sidecar, check=check_sidecar, translate=sidecar.translate),
    Served(
        kind=PEER_AUTHENTICATION,
        spec=PeerAuthentication,
        check=check_peer_authentication,
        translate=peer_authentication.translate,
    ),
    Served(kind=PROXY_CONFIG, spec=ProxyConfig, check=check_proxy_config, translate=proxy_config.translate),
    Served(kind=WASM_PLUGIN, spec=WasmPlugin, check=check_wasm_plugin, translate=wasm_plugin.translate),
    Served(
        kind=TRAFFIC_EXTENSION,
        spec=TrafficExtension,
        check=check_traffic_extension,
        translate=wasm_plugin.translate_extension,
    ),
    Served(
        kind=AUTHORIZATION_POLICY,
        spec=AuthorizationPolicy,
        check=check_authorization_policy,
        translate=authorization_policy.translate,
        instead=authorization_policy.deny_instead,
    ),
    Served(
        kind=REQUEST_AUTHENTICATION,
        spec=RequestAuthentication,
        check=check_request_authentication,
        translate=request_authentication.translate,
        instead=authorization_policy.deny_instead,
    ),
    Served(kind=TELEMETRY, spec=Telemetry, check=check_telemetry, translate=telemetry.translate),
    Served(kind=ENVOY_FILTER, spec=EnvoyFilter, check=check_envoy_filter, translate=envoy_filter.translate),
)
