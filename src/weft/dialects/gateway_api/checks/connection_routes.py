"""TLSRoute, TCPRoute and UDPRoute."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import check_backend, check_names, check_route
from weft.dialects.gateway_api.types import connection_routes as wire
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_tls_route(spec: wire.TlsRoute, metadata: ObjectMeta) -> Findings:
    """Parents, names and rules."""
    yield from check_metadata(metadata)
    yield from check_route(spec, spec.hostnames)
    yield from _check_rules(spec.rules)


def check_tcp_route(spec: wire.TcpRoute, metadata: ObjectMeta) -> Findings:
    """Parents and rules."""
    yield from check_metadata(metadata)
    yield from check_route(spec, ())
    yield from _check_rules(spec.rules)


def check_udp_route(spec: wire.UdpRoute, metadata: ObjectMeta) -> Findings:
    """Parents and rules."""
    yield from check_metadata(metadata)
    yield from check_route(spec, ())
    yield from _check_rules(spec.rules)


def _check_rules(rules: Sequence[wire.ConnectionRouteRule]) -> Findings:
    here = Here(path=("spec", "rules"))
    if not rules:
        yield here.error("W0105", "the route has no rules", "add a rule with backendRefs", at_key=True)
    yield from check_names(here, [rule.name for rule in rules])
    for index, rule in enumerate(rules):
        if index:
            yield here.at(index).warning("W0118", "the first rule takes everything", "remove this one")
        if not rule.backend_refs:
            yield here.at(index).error("W0105", "the rule leads nowhere", "add backendRefs", at_key=True)
        for place, ref in enumerate(rule.backend_refs):
            yield from check_backend(here.at(index, "backendRefs", place), ref)
