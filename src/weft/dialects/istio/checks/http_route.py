"""The HTTP rules of a VirtualService."""

from collections.abc import Mapping

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import (
    check_destination,
    check_duration,
    check_labels,
    check_port,
    check_text,
)
from weft.dialects.istio.checks.gateways import check_gateways
from weft.dialects.istio.checks.headers import authorities, check_header_name, check_headers, is_claim
from weft.dialects.istio.checks.http_action import (
    check_cors,
    check_direct_response,
    check_fault,
    check_redirect,
    check_retries,
    check_rewrite,
)
from weft.dialects.istio.checks.weights import check_weights
from weft.dialects.istio.types import http_route as wire
from weft.dialects.istio.types.matching import Percent, StringMatch
from weft.dialects.syntax import is_istio_label


def check_http_route(here: Here, rule: wire.HttpRoute, *, delegate: bool, in_sidecars: bool) -> Findings:
    """Istio's ``validateHTTPRoute``. ``delegate``: the VirtualService has no hosts, another one leads to it."""
    yield from _check_delegate(here, rule, delegate=delegate)
    if rule.delegate is None or delegate:
        yield from _check_action(here, rule)
    for index, match in enumerate(rule.match):
        yield from _check_match(here.at("match", index), match, in_sidecars=in_sidecars)
    yield from _check_destinations(here.at("route"), rule)
    yield from check_headers(here.at("headers"), rule.headers)
    yield from check_rewrite(here.at("rewrite"), rule.rewrite)
    yield from check_retries(here.at("retries"), rule.retries)
    yield from check_fault(here.at("fault"), rule.fault)
    yield from check_cors(here.at("corsPolicy"), rule.cors_policy)
    yield from check_duration(here.at("timeout"), rule.timeout)
    yield from _check_mirrors(here, rule)
    yield from _check_authority(here, rule)


def _check_delegate(here: Here, rule: wire.HttpRoute, *, delegate: bool) -> Findings:
    if rule.delegate is None:
        return
    place = here.at("delegate")
    if delegate:
        yield place.error("W0123", "a delegate cannot delegate", "a VirtualService without hosts is one", at_key=True)
        return
    if not rule.delegate.name:
        yield place.error("W0105", "the delegate has no name", "set delegate.name")
    forbidden = {"route": rule.route, "redirect": rule.redirect, "directResponse": rule.direct_response}
    for field, value in forbidden.items():
        if value:
            yield here.at(field).error("W0123", f"a rule that delegates cannot have {field}", at_key=True)


def _check_action(here: Here, rule: wire.HttpRoute) -> Findings:
    """Istio's ``validateHTTPRouteConflict``: one action, and nothing beside it that only fits another."""
    actions = {"route": rule.route, "redirect": rule.redirect, "directResponse": rule.direct_response}
    given = [name for name, action in actions.items() if action not in (None, ())]
    if not given:
        yield here.error("W0105", "the rule does nothing", "add route, redirect or directResponse")
    for name in given[1:]:
        yield here.at(name).error("W0106", f"a rule cannot have both {given[0]} and {name}", at_key=True)
    alone = next((name for name in given if name != "route"), None)
    for name, other in (("fault", rule.fault), ("rewrite", rule.rewrite)):
        if alone and other is not None:
            yield here.at(name).error("W0106", f"a rule cannot have both {alone} and {name}", at_key=True)
    if rule.redirect is not None:
        yield from check_redirect(here.at("redirect"), rule.redirect, rule.match)
    if rule.direct_response is not None:
        yield from check_direct_response(here.at("directResponse"), rule.direct_response)


def _check_match(here: Here, match: wire.HttpMatchRequest, *, in_sidecars: bool) -> Findings:
    texts = {"uri": match.uri, "scheme": match.scheme, "method": match.method, "authority": match.authority}
    for field, text in texts.items():
        if text is not None:
            yield from check_text(here.at(field), text, field, prefix_may_be_empty=field == "uri")
    yield from _check_named(here.at("headers"), match.headers, in_sidecars=in_sidecars)
    yield from _check_named(here.at("withoutHeaders"), match.without_headers, in_sidecars=in_sidecars)
    for name, text in match.query_params.items():
        yield from check_text(here.at("queryParams", name), text, f"query parameter {name[:80]}")
    if match.port:
        yield from check_port(here.at("port"), match.port)
    yield from check_labels(here.at("sourceLabels"), match.source_labels)
    if match.source_namespace and not is_istio_label(match.source_namespace):
        yield here.at("sourceNamespace").error("W0122", f'"{match.source_namespace[:80]}" is not a namespace')
    yield from check_gateways(here.at("gateways"), match.gateways)


def _check_named(here: Here, headers: Mapping[str, StringMatch], *, in_sidecars: bool) -> Findings:
    for name, text in headers.items():
        place = here.at(name)
        yield from check_header_name(place, name)
        yield from check_text(place, text, f"header {name[:80]}")
        if is_claim(name) and in_sidecars:
            yield place.error("W0122", "claims of tokens can be matched on gateways only", at_key=True)


def _check_destinations(here: Here, rule: wire.HttpRoute) -> Findings:
    for index, share in enumerate(rule.route):
        yield from check_destination(here.at(index, "destination"), share.destination)
        yield from check_headers(here.at(index, "headers"), share.headers)
    yield from check_weights(here, rule.route)


def _check_authority(here: Here, rule: wire.HttpRoute) -> Findings:
    """Only one can win (Istio: ``validateAuthorityRewrite``)."""
    changes = authorities(rule.headers)
    if len(changes) + bool(rule.rewrite and rule.rewrite.authority) > 1:
        verb, name = changes[-1]
        place = here.at("headers", "request", verb, name)
        yield place.error("W0106", "the authority is set more than once", "keep one of them", at_key=True)


def _check_mirrors(here: Here, rule: wire.HttpRoute) -> Findings:
    if rule.mirror is not None:
        yield from check_destination(here.at("mirror"), rule.mirror)
        if rule.mirrors:
            yield here.at("mirrors").error("W0106", "a rule cannot have both mirror and mirrors", at_key=True)
    for field, percent in (("mirrorPercent", rule.mirror_percent), ("mirror_percent", rule.mirror_percent_snake)):
        if percent is not None:
            if percent > 100:
                yield here.at(field).error("W0111", f"{percent} is not a percentage", "use 0 to 100")
            yield here.at(field).warning("W0119", f"{field} is deprecated", "use mirrorPercentage.value", at_key=True)
    yield from _check_share(here.at("mirrorPercentage"), rule.mirror_percentage)
    for index, mirror in enumerate(rule.mirrors):
        yield from check_destination(here.at("mirrors", index, "destination"), mirror.destination)
        yield from _check_share(here.at("mirrors", index, "percentage"), mirror.percentage)


def _check_share(here: Here, percent: Percent | None) -> Findings:
    value = percent.value if percent else None
    if value is not None and not 0 <= value <= 100:
        yield here.at("value").error("W0111", f"{value:g} is not a percentage", "use 0 to 100")
