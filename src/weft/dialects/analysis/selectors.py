"""Policies that are for nobody, or of which several are for the same workloads."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from weft.dialects.analysis.objects import Selecting
from weft.dialects.analysis.world import ROOT_NAMESPACE, SECURITY, TELEMETRY, Thing, World
from weft.dialects.istio.types.sidecar import Sidecar
from weft.model.finding import Finding, Path

_GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
_REDIRECTED = "ambient.istio.io/redirection"
_SELECTING = (
    ("AuthorizationPolicy", SECURITY),
    ("RequestAuthentication", SECURITY),
    ("PeerAuthentication", SECURITY),
    ("WasmPlugin", "extensions.istio.io"),
    ("Telemetry", TELEMETRY),
)


class _Chosen(NamedTuple):
    """A document of which only one can be for a workload; ``labels`` is ``None`` if it is for the namespace."""

    thing: Thing
    labels: Mapping[str, str] | None


def analyse(world: World) -> Iterator[Finding]:
    """Selectors, in the order of Istio's analyzers."""
    sidecars = [
        _Chosen(thing, spec.workload_selector.labels if spec.workload_selector else None)
        for thing, spec in world.of("Sidecar", Sidecar)
    ]
    telemetries = [
        _Chosen(thing, spec.selector.match_labels if spec.selector else None)
        for thing, spec in world.of("Telemetry", Selecting, TELEMETRY)
        if not spec.attached
    ]
    for chosen, place in ((sidecars, "workloadSelector"), (telemetries, "selector")):
        yield from _exclusive(world, chosen, ("spec", place))
    yield from _of_ambient(world, sidecars)
    for kind, group in _SELECTING:
        for thing, spec in world.of(kind, Selecting, group):
            yield from _ineffective(world, thing, spec)
            if kind not in ("Telemetry", "WasmPlugin"):
                yield from _unmatched(world, thing, spec)
    yield from _access_rules(world)
    yield from _empty_providers(world)


def _exclusive(world: World, found: list[_Chosen], path: Path) -> Iterator[Finding]:
    """Istio: ``SelectorAnalyzer`` and ``DefaultSelectorAnalyzer`` of Sidecars and Telemetry."""
    for one in found:
        thing = one.thing
        near = [other for other in found if other is not one and other.thing.namespace == thing.namespace]
        if one.labels is None:
            rivals = [other for other in near if other.labels is None]
            if rivals:
                message = f"{rivals[0].thing.key} is for the whole namespace too; the older one counts"
                yield thing.said("W0411", message, ("metadata", "name"), "keep one, or add a selector")
            continue
        mine = world.picked(one.labels, thing.namespace)
        if not mine:
            yield _nobody(world, thing, path, one.labels)
        for other in near:
            both = [runs for runs in mine if other.labels is not None and runs.has(other.labels)]
            if both:
                message = f"{other.thing.key} selects {both[0].thing.key} too; the older one counts"
                yield thing.said("W0411", message, path, "select different workloads")
                break


def _nobody(world: World, thing: Thing, path: Path, labels: Mapping[str, str]) -> Finding:
    told = ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "any"
    where = "the mesh" if thing.namespace == ROOT_NAMESPACE else f"the namespace {thing.namespace}"
    advice = "check the labels; workloads that come later are selected too"
    return thing.said("W0410", f"no workload of {where} has the labels {told}", path, advice, note=not world.workloads)


def _of_ambient(world: World, sidecars: list[_Chosen]) -> Iterator[Finding]:
    for thing, labels in sidecars:
        marks = world.declared_namespaces.get(thing.namespace, {})
        ambient = marks.get("istio.io/dataplane-mode") == "ambient"
        injected = marks.get("istio-injection") == "enabled" or bool(marks.get("istio.io/rev"))
        picked = world.picked(labels or {}, thing.namespace)
        redirected = any(runs.annotations.get(_REDIRECTED) == "enabled" for runs in picked)
        if (labels is None and ambient and not injected) or (labels is not None and redirected):
            message = "its workloads are labelled for Istio's ambient mode, in which no sidecar reads it"
            yield thing.said("W0412", message, ("metadata", "name"), "remove it, or the label of the namespace")


def _ineffective(world: World, thing: Thing, spec: Selecting) -> Iterator[Finding]:
    """Istio: ``k8sgateway.SelectorAnalyzer``."""
    if spec.selector is None or spec.attached:
        return
    picked = world.picked(spec.selector.match_labels, "" if thing.namespace == ROOT_NAMESPACE else thing.namespace)
    named = [runs.labels[_GATEWAY_NAME] for runs in picked if _GATEWAY_NAME in runs.labels]
    if named:
        message = f"the selector has no effect on the Kubernetes Gateway {named[0]}"
        advice = f"use targetRefs with kind Gateway and name {named[0]}"
        yield thing.said("W0413", message, ("spec", "selector"), advice)


def _unmatched(world: World, thing: Thing, spec: Selecting) -> Iterator[Finding]:
    """Istio: ``AuthorizationPoliciesAnalyzer``."""
    if spec.attached or (thing.key.kind != "AuthorizationPolicy" and spec.selector is None):
        return
    labels = spec.selector.match_labels if spec.selector else {}
    everywhere = thing.namespace == ROOT_NAMESPACE
    if (labels or not everywhere) and not world.picked(labels, "" if everywhere else thing.namespace):
        yield _nobody(world, thing, ("spec", "selector") if spec.selector else ("metadata", "namespace"), labels)


def _access_rules(world: World) -> Iterator[Finding]:
    for thing, spec in world.of("AuthorizationPolicy", Selecting, SECURITY):
        for index, rule in enumerate(spec.rules):
            for place, caller in enumerate(rule.callers):
                path: Path = ("spec", "rules", index, "from", place, "source")
                given = (("namespaces", caller.source.namespaces), ("notNamespaces", caller.source.not_namespaces))
                for field, names in given:
                    for at, name in enumerate(names):
                        if not _exists(world, name):
                            message = f"there is no namespace {name[:80]}"
                            yield thing.said("W0414", message, (*path, field, at), "check its name")


def _exists(world: World, name: str) -> bool:
    if name.startswith("*"):
        return any(one.endswith(name[1:]) for one in world.namespaces)
    if name.endswith("*"):
        return any(one.startswith(name[:-1]) for one in world.namespaces)
    return name in world.namespaces


def _empty_providers(world: World) -> Iterator[Finding]:
    """Istio: ``telemetry.ProviderAnalyzer``."""
    for thing, spec in world.of("Telemetry", Selecting, TELEMETRY):
        parts = {"tracing": spec.tracing, "metrics": spec.metrics, "accessLogging": spec.access_logging}
        for name, found in parts.items():
            for index, part in enumerate(found):
                if not any(provider.name for provider in part.providers):
                    message = f"{name} names no provider"
                    yield thing.said("W0415", message, ("spec", name, index), "name one, or set a default in the mesh")
