"""Istio's annotations and labels of pods: which an injected pod follows, and why it does not follow the others."""

from collections.abc import Mapping
from typing import Any

from weft.kit.value import Value

INJECT = "sidecar.istio.io/inject"
_OFF = ("false", "no", "n", "off")
_CAPTURES = "the pod's connections are not captured: its applications use HTTP_PROXY"
_UNFOLLOWED = {
    "traffic.sidecar.istio.io/": _CAPTURES,
    "sidecar.istio.io/interceptionMode": _CAPTURES,
    "sidecar.istio.io/enableCoreDump": "Envoy's core dumps are the node's affair",
    "sidecar.istio.io/nativeSidecar": "the sidecar is always a native one, which Kubernetes has since 1.29",
    "sidecar.istio.io/bootstrapOverride": "bootstraps are changed by EnvoyFilters",
    "sidecar.istio.io/discoveryAddress": "it is --join-url",
    "sidecar.istio.io/status": "it is Istio's own note",
    "inject.istio.io/": "weft has no templates",
    "prometheus.istio.io/": "metrics are the control plane's",
    "status.sidecar.istio.io/": "readiness is asked by files, not by a port",
}
_EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"
_RESOURCES = {
    "sidecar.istio.io/proxyCPU": ("requests", "cpu"),
    "sidecar.istio.io/proxyMemory": ("requests", "memory"),
    "sidecar.istio.io/proxyCPULimit": ("limits", "cpu"),
    "sidecar.istio.io/proxyMemoryLimit": ("limits", "memory"),
}


class Wishes(Value):
    """What a pod's annotations ask for. ``resources`` are (kind, what, amount); ``notes`` say what is not followed."""

    image: str = ""
    resources: tuple[tuple[str, str, str], ...] = ()
    rewrite_probes: bool = True
    excluded_ports: frozenset[int] = frozenset()
    workers: int = 0
    drain_seconds: float = 5.0
    notes: tuple[str, ...] = ()


def wants_none(metadata: Mapping[str, Any]) -> str:
    """Why a pod wants no sidecar, "" if it does not say so. The label goes before the annotation, as in Istio."""
    for place in ("labels", "annotations"):
        said = (metadata.get(place) or {}).get(INJECT)
        if said is not None:
            return f"its {place.removesuffix('s')} {INJECT} says {said}" if str(said).lower() in _OFF else ""
    return ""


def wishes_of(annotations: Mapping[str, Any]) -> Wishes:
    """What the annotations ask for."""
    notes: list[str] = []
    found: dict[str, Any] = {"resources": []}
    for name, value in annotations.items():
        note = _read(str(name), str(value), found)
        if note:
            notes.append(f"{name} is not followed: {note}")
    return Wishes(**{**found, "resources": tuple(found["resources"]), "notes": tuple(notes)})


def _read(name: str, value: str, found: dict[str, Any]) -> str:
    """Take one annotation in; why it is not followed, if it is not."""
    if name in _RESOURCES:
        found["resources"].append((*_RESOURCES[name], value))
    elif name == "sidecar.istio.io/proxyImage":
        found["image"] = value
    elif name == "sidecar.istio.io/rewriteAppHTTPProbers":
        found["rewrite_probes"] = value.lower() not in _OFF
    elif name == _EXCLUDED:
        words = [word.strip() for word in value.split(",") if word.strip()]
        if not all(word.isdecimal() for word in words):
            return "it takes numbers of ports"
        found["excluded_ports"] = frozenset(int(word) for word in words)
    elif name == "proxy.istio.io/config":
        return _read_config(value, found)
    elif name != INJECT:
        return next((why for prefix, why in _UNFOLLOWED.items() if name.startswith(prefix)), _other(name))
    return ""


def _other(name: str) -> str:
    return "weft does not know it" if name.partition("/")[0].endswith("istio.io") else ""


def _read_config(text: str, found: dict[str, Any]) -> str:
    """The ProxyConfig of an annotation: YAML."""
    from weft.cli.durations import seconds_of
    from weft.kit.yaml import YamlError, parse_yaml

    try:
        documents = parse_yaml(text, "proxy.istio.io/config")
    except YamlError as wrong:
        return f"it is no YAML ({wrong})"
    said = documents[0].content if documents else None
    if not isinstance(said, dict):
        return "it is no ProxyConfig"
    rest = {key: value for key, value in said.items() if key != "holdApplicationUntilProxyStarts"}
    if isinstance(workers := rest.pop("concurrency", 0), int):
        found["workers"] = workers
    if "terminationDrainDuration" in rest:
        seconds = seconds_of(str(rest.pop("terminationDrainDuration")))
        if seconds is None:
            return "terminationDrainDuration is no duration"
        found["drain_seconds"] = seconds
    if said.get("holdApplicationUntilProxyStarts") is False:
        return "applications always wait for their sidecar (holdApplicationUntilProxyStarts)"
    return f"of it not {', '.join(sorted(rest))}, which are no settings of an agent" if rest else ""
