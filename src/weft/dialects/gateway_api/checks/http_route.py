"""HTTPRoute."""

import re
from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import (
    check_backend,
    check_condition,
    check_requests_route,
    check_time,
    time_of,
)
from weft.dialects.gateway_api.checks.filters import check_filters
from weft.dialects.gateway_api.checks.sessions import check_session
from weft.dialects.gateway_api.types import http_route as wire
from weft.dialects.metadata import ObjectMeta
from weft.dialects.regex import check_regex

_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F", "#")
_NOT_AT_THE_END = ("/..", "/.")


def check_http_route(spec: wire.HttpRoute, metadata: ObjectMeta) -> Findings:
    """Parents, host names and rules."""
    yield from check_requests_route(spec, spec.hostnames, spec.rules, metadata)
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(Here(path=("spec", "rules", index)), rule)


def _check_rule(here: Here, rule: wire.HttpRouteRule) -> Findings:
    for index, match in enumerate(rule.matches):
        yield from _check_match(here.at("matches", index), match)
    yield from check_filters(here.at("filters"), rule.filters)
    for index, ref in enumerate(rule.backend_refs):
        yield from check_backend(here.at("backendRefs", index), ref)
        yield from check_filters(here.at("backendRefs", index, "filters"), ref.filters)
        yield from _check_prefix(here.at("backendRefs", index, "filters"), rule, ref.filters)
    yield from _check_redirect(here, rule)
    yield from _check_prefix(here.at("filters"), rule, rule.filters)
    yield from _check_times(here, rule)
    yield from check_session(here.at("sessionPersistence"), rule.session_persistence)


def _check_match(here: Here, match: wire.HttpRouteMatch) -> Findings:
    if match.path is not None:
        yield from _check_path(here.at("path", "value"), match.path)
    for index, header in enumerate(match.headers):
        yield from check_condition(here.at("headers", index), header.name, header.value, header.type)
    for index, query in enumerate(match.query_params):
        yield from check_condition(here.at("queryParams", index), query.name, query.value, query.type)


def _check_path(here: Here, path: wire.HttpPathMatch) -> Findings:
    value = "/" if path.value is None else path.value
    if path.type == "RegularExpression":
        yield from check_regex(here, value)
        return
    if not value.startswith("/"):
        yield here.error("W0122", f'the path "{value[:80]}" does not begin with /', "add the /")
        return
    wrong = [part for part in _NOT_IN_PATHS if part in value]
    wrong += [part for part in _NOT_AT_THE_END if value.endswith(part)]
    if wrong:
        yield here.error("W0122", f'the path "{value[:80]}" has {wrong[0]} in it', "no request's path has it")
    elif not _PATH.fullmatch(value):
        yield here.error("W0122", f'"{value[:80]}" is not a path', "write other characters as %XX")


def _check_redirect(here: Here, rule: wire.HttpRouteRule) -> Findings:
    if rule.backend_refs and any(one.type == "RequestRedirect" for one in rule.filters):
        advice = "remove one of them"
        yield here.at("backendRefs").error("W0106", "a rule that redirects has no backends", advice, at_key=True)


def _check_prefix(here: Here, rule: wire.HttpRouteRule, filters: Sequence[wire.HttpRouteFilter]) -> Findings:
    """What a matched prefix becomes makes sense only where there is one."""
    for index, one in enumerate(filters):
        for field, change in (("requestRedirect", one.request_redirect), ("urlRewrite", one.url_rewrite)):
            path = change.path if change else None
            if path is not None and path.type == "ReplacePrefixMatch" and not _matches_one_prefix(rule):
                message = "ReplacePrefixMatch needs exactly one match, with a path of the type PathPrefix"
                yield here.at(index, field, "path").error("W0106", message, "or use ReplaceFullPath")


def _matches_one_prefix(rule: wire.HttpRouteRule) -> bool:
    """A rule without matches has the prefix of all paths."""
    if not rule.matches:
        return True
    path = rule.matches[0].path or wire.HttpPathMatch()
    return len(rule.matches) == 1 and path.type in (None, "PathPrefix")


def _check_times(here: Here, rule: wire.HttpRouteRule) -> Findings:
    timeouts = rule.timeouts or wire.HttpRouteTimeouts()
    yield from check_time(here.at("timeouts", "request"), timeouts.request)
    yield from check_time(here.at("timeouts", "backendRequest"), timeouts.backend_request)
    if 0 < time_of(timeouts.request) < time_of(timeouts.backend_request):
        message = "an attempt has more time than the whole request"
        yield here.at("timeouts", "backendRequest").error("W0108", message, "lower backendRequest, or raise request")
    if rule.retry is not None:
        yield from check_time(here.at("retry", "backoff"), rule.retry.backoff)
