"""GRPCRoute."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import (
    check_backend,
    check_condition,
    check_requests_route,
)
from weft.dialects.gateway_api.checks.filters import check_filters
from weft.dialects.gateway_api.checks.sessions import check_session
from weft.dialects.gateway_api.types import grpc_route as wire
from weft.dialects.metadata import ObjectMeta
from weft.dialects.regex import check_regex

_SERVICE = re.compile(r"[a-zA-Z_][a-zA-Z_0-9]*(?:\.[a-zA-Z_][a-zA-Z_0-9]*)*")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


def check_grpc_route(spec: wire.GrpcRoute, metadata: ObjectMeta) -> Findings:
    """Parents, host names and rules."""
    yield from check_requests_route(spec, spec.hostnames, spec.rules, metadata)
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(Here(path=("spec", "rules", index)), rule)


def _check_rule(here: Here, rule: wire.GrpcRouteRule) -> Findings:
    for index, match in enumerate(rule.matches):
        place = here.at("matches", index)
        if match.method is not None:
            yield from _check_method(place.at("method"), match.method)
        for number, one in enumerate(match.headers):
            yield from check_condition(place.at("headers", number), one.name, one.value, one.type)
    yield from check_filters(here.at("filters"), rule.filters)
    for index, ref in enumerate(rule.backend_refs):
        yield from check_backend(here.at("backendRefs", index), ref)
        yield from check_filters(here.at("backendRefs", index, "filters"), ref.filters)
    yield from check_session(here.at("sessionPersistence"), rule.session_persistence)


def _check_method(here: Here, method: wire.GrpcMethodMatch) -> Findings:
    if not method.service and not method.method:
        yield here.error("W0122", "a service or a method is needed", "remove method to match every call")
    for field, value, shape in (("service", method.service, _SERVICE), ("method", method.method, _METHOD)):
        if not value:
            continue
        if method.type == "RegularExpression":
            yield from check_regex(here.at(field), value)
        elif not shape.fullmatch(value):
            yield here.at(field).error("W0122", f'"{value[:80]}" is not the name of a {field}')
