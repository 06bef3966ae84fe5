"""Backends of a rule: their shares, and every reference with its place."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec.structs import replace

from weft.dialects.findings import Here
from weft.dialects.gateway_api.translate.filters import headers_of, rewrite_of
from weft.dialects.gateway_api.translate.refs import backend_ref, destination_of
from weft.dialects.gateway_api.types import connection_routes, grpc_route, http_route
from weft.dialects.gateway_api.types.common import BackendObjectReference
from weft.dialects.parts import BackendUse, Ref
from weft.dialects.served import Subject
from weft.model.finding import Path
from weft.model.match import HttpMatch
from weft.model.route import Backend

FilteringRule = http_route.HttpRouteRule | grpc_route.GrpcRouteRule
Rule = FilteringRule | connection_routes.ConnectionRouteRule
BackendRef = http_route.HttpBackendRef | grpc_route.GrpcBackendRef

_Ref = TypeVar("_Ref", http_route.HttpBackendRef, grpc_route.GrpcBackendRef)
_ALL = 100
_OF_ROUTES = ("RequestMirror", "RequestRedirect", "CORS", "ExternalAuth")


def shares_of(refs: Sequence[BackendRef], subject: Subject) -> tuple[Backend, ...]:
    """Relative shares; one backend alone gets everything, unless it is to get nothing."""
    return tuple(_share(ref, subject, alone=len(refs) == 1) for ref in refs)


def weight_of(ref: BackendRef) -> int:
    """The share of a backend."""
    return 1 if ref.weight is None else ref.weight


def needs_own_rule(ref: BackendRef) -> bool:
    """Whether a backend's filters ask for what a proxy can do for whole routes only."""
    return any(one.type in _OF_ROUTES or _rewrites_paths(one) for one in ref.filters)


def _rewrites_paths(one: http_route.HttpRouteFilter | grpc_route.GrpcRouteFilter) -> bool:
    return isinstance(one, http_route.HttpRouteFilter) and bool(one.url_rewrite and one.url_rewrite.path)


def apart(refs: Sequence[_Ref], match: HttpMatch) -> Iterator[tuple[_Ref, HttpMatch]]:
    """Each backend that gets something, and the match for the part of the requests that is its share."""
    chosen = [ref for ref in refs if weight_of(ref)]
    total, before = sum(weight_of(ref) for ref in chosen), 0
    for ref in chosen:
        before += weight_of(ref)
        yield ref, replace(match, share=None if before == total else 100.0 * before / total)


def _share(ref: BackendRef, subject: Subject, *, alone: bool) -> Backend:
    weight = weight_of(ref)
    http = tuple(one for one in ref.filters if isinstance(one, http_route.HttpRouteFilter))
    return Backend(
        destination=destination_of(ref, subject),
        weight=_ALL if alone and weight else weight,
        headers=headers_of(ref.filters),
        authority=rewrite_of(http, None).authority,
        broken=any(one.type == "ExtensionRef" for one in ref.filters),
    )


def uses_of(rules: Sequence[Rule], subject: Subject) -> Iterator[BackendUse]:
    """Every backend that rules name, mirrors' too."""
    for index, rule in enumerate(rules):
        here = Here(path=("spec", "rules", index))
        refs: Iterable[BackendRef | connection_routes.ConnectionBackendRef] = rule.backend_refs
        for place, ref in enumerate(refs):
            yield _use(here.at("backendRefs", place), ref, subject)
            if not isinstance(ref, connection_routes.ConnectionBackendRef):
                yield from _of_filters(here.at("backendRefs", place, "filters"), ref.filters, subject)
        if not isinstance(rule, connection_routes.ConnectionRouteRule):
            yield from _of_filters(here.at("filters"), rule.filters, subject)


def extensions_of(rules: Sequence[FilteringRule], subject: Subject) -> Iterator[tuple[Ref, Path]]:
    """Filters of kinds that only others know."""
    for index, rule in enumerate(rules):
        here = Here(path=("spec", "rules", index))
        yield from _extensions(here.at("filters"), rule.filters, subject)
        refs: Iterable[BackendRef] = rule.backend_refs
        for place, ref in enumerate(refs):
            yield from _extensions(here.at("backendRefs", place, "filters"), ref.filters, subject)


def _extensions(
    here: Here, filters: Sequence[http_route.HttpRouteFilter | grpc_route.GrpcRouteFilter], subject: Subject
) -> Iterator[tuple[Ref, Path]]:
    for index, one in enumerate(filters):
        ref = one.extension_ref
        if ref is not None:
            named = Ref(group=ref.group, kind=ref.kind, namespace=subject.namespace, name=ref.name)
            yield named, here.at(index, "extensionRef").path


def _of_filters(
    here: Here, filters: Sequence[http_route.HttpRouteFilter | grpc_route.GrpcRouteFilter], subject: Subject
) -> Iterator[BackendUse]:
    for index, one in enumerate(filters):
        if one.request_mirror is not None:
            yield _use(here.at(index, "requestMirror", "backendRef"), one.request_mirror.backend_ref, subject)
        if isinstance(one, http_route.HttpRouteFilter) and one.external_auth is not None:
            yield _use(here.at(index, "externalAuth", "backendRef"), one.external_auth.backend_ref, subject)


def _use(here: Here, ref: BackendObjectReference, subject: Subject) -> BackendUse:
    return BackendUse(ref=backend_ref(ref, subject.namespace), path=here.path, destination=destination_of(ref, subject))
