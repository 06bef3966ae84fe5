"""An EnvoyFilter in the model's words."""

import msgspec

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.envoy_filter import (
    ConfigMatch,
    ConfigPatch,
    EnvoyFilter,
    FilterChainMatch,
    FilterMatch,
    RouteMatch,
    VirtualHostMatch,
)
from weft.dialects.istio.types.envoy_filter import ListenerMatch as WireListener
from weft.dialects.istio.types.envoy_filter import RouteConfigurationMatch as WireRoutes
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.extension import (
    ClusterMatch,
    Context,
    ListenerMatch,
    Patch,
    PatchOperation,
    PatchTarget,
    RoutesMatch,
)


def translate(spec: EnvoyFilter, subject: Subject) -> Fragment:
    """Each patch stands alone; ``link`` puts those of all documents in order. Those of waypoints are nobody's."""
    patches = enumerate(spec.config_patches)
    found = [(index, one) for index, one in patches if not (one.match and one.match.context == "WAYPOINT")]
    return Fragment(key=subject.key, patches=tuple(_patch(one, index, spec, subject) for index, one in found))


def _patch(one: ConfigPatch, index: int, spec: EnvoyFilter, subject: Subject) -> Patch:
    match, patch = one.match or ConfigMatch(), one.patch
    assert patch is not None
    proxy = match.proxy
    return Patch(
        origin=subject.origin,
        path=("spec", "configPatches", index),
        namespace=subject.namespace,
        selector=labels_of(spec.workload_selector.labels if spec.workload_selector else {}),
        priority=spec.priority or 0,
        context=Context(match.context or "ANY"),
        target=PatchTarget(one.apply_to),
        operation=PatchOperation(patch.operation),
        match=_match(match),
        value=b"" if patch.value is None else msgspec.json.encode(patch.value, order="sorted"),
        only_versions=(proxy.proxy_version or "") if proxy else "",
        only_metadata=labels_of(proxy.metadata if proxy else {}),
        filter_class="" if patch.filter_class in (None, "UNSPECIFIED") else str(patch.filter_class),
        gateways=tuple(ref.name for ref in spec.target_refs if ref.kind == "Gateway") if spec.target_refs else None,
    )


def _match(match: ConfigMatch) -> ListenerMatch | RoutesMatch | ClusterMatch | None:
    if match.listener is not None:
        return _listener(match.listener)
    if match.route_configuration is not None:
        return _routes(match.route_configuration)
    if match.cluster is not None:
        cluster = match.cluster
        return ClusterMatch(
            name=cluster.name or "",
            port=cluster.port_number or 0,
            service=cluster.service or "",
            subset=cluster.subset or "",
        )
    return None


def _listener(match: WireListener) -> ListenerMatch:
    chain = match.filter_chain or FilterChainMatch()
    chosen = chain.filter or FilterMatch()
    return ListenerMatch(
        name=match.name or "",
        port=match.port_number or 0,
        chain=chain.name or "",
        sni=chain.sni or "",
        transport_protocol=chain.transport_protocol or "",
        application_protocols=tuple(one.strip() for one in (chain.application_protocols or "").split(",") if one),
        destination_port=chain.destination_port or 0,
        filter=chosen.name or "",
        sub_filter=(chosen.sub_filter.name or "") if chosen.sub_filter else "",
        listener_filter=match.listener_filter or "",
    )


def _routes(match: WireRoutes) -> RoutesMatch:
    host = match.vhost or VirtualHostMatch()
    route = host.route or RouteMatch()
    return RoutesMatch(
        name=match.name or "",
        port=match.port_number or 0,
        port_name=match.port_name or "",
        gateway=match.gateway or "",
        host=host.name or "",
        domain=host.domain_name or "",
        route=route.name or "",
        action="" if route.action in (None, "ANY") else str(route.action),
    )
