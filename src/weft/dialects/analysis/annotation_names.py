"""Istio's annotations: on which kinds they are read, which are deprecated, and which values they take."""

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

from weft.kit.yaml import YamlError, parse_yaml

Faulty = Callable[[str], str]


class Annotation(NamedTuple):
    """``kinds`` that it is read on, none for any; ``fault`` says what is wrong with a value, "" for nothing."""

    kinds: tuple[str, ...] = ("Pod",)
    deprecated: bool = False
    fault: Faulty = lambda value: ""


def _number(value: str) -> str:
    return "" if re.fullmatch(r"[0-9]{1,9}", value) else "not a whole number"


def _switch(value: str) -> str:
    return "" if value.lower() in ("true", "false", "1", "0", "t", "f") else "neither true nor false"


def _ports(value: str) -> str:
    named = [one.strip() for one in value.split(",") if one.strip()]
    wrong = [one for one in named if one != "*" and not (one.isdigit() and 0 < int(one) < 65536)]
    return f"{wrong[0][:40]} is not a port" if wrong else ""


def _ranges(value: str) -> str:
    for one in (entry.strip() for entry in value.split(",") if entry.strip()):
        if one == "*":
            continue
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            return f"{one[:40]} is not a range of addresses"
    return ""


def _mode(value: str) -> str:
    return "" if value in ("REDIRECT", "TPROXY", "NONE") else "use REDIRECT, TPROXY or NONE"


def _mapping(value: str) -> str:
    try:
        documents = parse_yaml(value, "annotation")
    except YamlError as wrong:
        return wrong.what
    return "" if all(isinstance(one.content, dict) for one in documents) else "not a mapping"


def _on_pods(prefix: str, names: str, fault: Faulty = lambda value: "") -> dict[str, Annotation]:
    return {f"{prefix}/{name}": Annotation(fault=fault) for name in names.split()}


def _old(prefix: str, names: str) -> dict[str, Annotation]:
    return {f"{prefix}/{name}": Annotation(deprecated=True) for name in names.split()}


_SIDECAR, _TRAFFIC = "sidecar.istio.io", "traffic.sidecar.istio.io"
_ANYWHERE = Annotation(kinds=())

ANNOTATIONS: dict[str, Annotation] = {
    **_on_pods(_SIDECAR, "agentLogLevel bootstrapOverride componentLogLevel extraStatTags logLevel port proxyCPU"),
    **_on_pods(_SIDECAR, "proxyCPULimit proxyImage proxyImageType proxyMemory proxyMemoryLimit status userVolume"),
    **_on_pods(_SIDECAR, "userVolumeMount statsHistogramBuckets statsCompression"),
    **_on_pods(_SIDECAR, "enableCoreDump rewriteAppHTTPProbers nativeSidecar", _switch),
    **_on_pods(_SIDECAR, "interceptionMode", _mode),
    **_old(_SIDECAR, "inject controlPlaneAuthPolicy discoveryAddress"),
    **_old(_SIDECAR, "statsInclusionPrefixes statsInclusionRegexps statsInclusionSuffixes"),
    **_on_pods(_TRAFFIC, "excludeInboundPorts excludeOutboundPorts includeInboundPorts includeOutboundPorts", _ports),
    **_on_pods(_TRAFFIC, "excludeOutboundIPRanges includeOutboundIPRanges", _ranges),
    **_on_pods(_TRAFFIC, "excludeInterfaces"),
    **_old(_TRAFFIC, "kubevirtInterfaces"),
    **_on_pods("readiness.status.sidecar.istio.io", "failureThreshold initialDelaySeconds periodSeconds", _number),
    **_on_pods("readiness.status.sidecar.istio.io", "applicationPorts", _ports),
    **_on_pods("status.sidecar.istio.io", "port", _number),
    **_on_pods("prometheus.istio.io", "merge-metrics", _switch),
    **_on_pods("proxy.istio.io", "config", _mapping),
    **_on_pods("proxy.istio.io", "overrides"),
    **_on_pods("inject.istio.io", "templates"),
    **_on_pods("networking.istio.io", "tunnel"),
    **_on_pods("policy.istio.io", "check checkBaseRetryWaitTime checkMaxRetryWaitTime checkRetries lang"),
    **_on_pods("ambient.istio.io", "redirection bypass-inbound-capture dns-capture"),
    "ambient.istio.io/waypoint-inbound-binding": Annotation(kinds=("GatewayClass",)),
    "galley.istio.io/analyze-suppress": _ANYWHERE,
    "gateway.istio.io/controller-version": _ANYWHERE,
    "gateway.istio.io/name-override": Annotation(kinds=("Gateway",)),
    "gateway.istio.io/service-account": Annotation(kinds=("Gateway",)),
    "install.operator.istio.io/chart-owner": _ANYWHERE,
    "install.operator.istio.io/owner-generation": _ANYWHERE,
    "install.operator.istio.io/version": _ANYWHERE,
    "istio.io/autoRegistrationGroup": Annotation(kinds=("WorkloadEntry",)),
    "istio.io/connectedAt": Annotation(kinds=("WorkloadEntry",)),
    "istio.io/disconnectedAt": Annotation(kinds=("WorkloadEntry",)),
    "istio.io/workloadController": Annotation(kinds=("WorkloadEntry",)),
    "istio.io/dry-run": Annotation(kinds=("AuthorizationPolicy",), fault=_switch),
    "istio.io/reroute-virtual-interfaces": Annotation(),
    "istio.io/rev": _ANYWHERE,
    "kubernetes.io/ingress.class": Annotation(kinds=("Ingress",)),
    "networking.istio.io/address-type": Annotation(kinds=("Gateway",)),
    "networking.istio.io/exportTo": Annotation(kinds=("Service",)),
    "networking.istio.io/service-type": Annotation(kinds=("Gateway",)),
    "networking.istio.io/traffic-distribution": Annotation(kinds=("Service", "ServiceEntry", "Namespace")),
    "topology.istio.io/controlPlaneClusters": Annotation(kinds=("Namespace",)),
    "traffic.istio.io/nodeSelector": Annotation(kinds=("Service",)),
}
