"""What can be wrong with a RateLimitPolicy."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import is_dns_label
from weft.dialects.weft.checks.answers import check_answer, is_header_name
from weft.dialects.weft.checks.durations import check_between
from weft.dialects.weft.checks.targets import check_attachment
from weft.dialects.weft.types.rate_limit_policy import Condition, Dimension, Limit, RateLimitPolicy, TextCondition

_KINDS = ("Service", "Gateway", "VirtualService", "HTTPRoute", "GRPCRoute")
_ROUTES = _KINDS[2:]
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255}){1,16}")
_METHOD = re.compile(r"[A-Z]{1,20}")


def check_rate_limit_policy(spec: RateLimitPolicy, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, _KINDS)
    yield from check_answer(here.at("response"), spec.response)
    yield from check_between(here.at("timeout"), spec.timeout)
    if not spec.limits and spec.connections is None:
        yield here.at("limits").error("W0105", "the policy limits nothing", "add a limit", at_key=True)
    names: dict[str, int] = {}
    for index, limit in enumerate(spec.limits):
        yield from _check_limit(here.at("limits", index), limit)
        if limit.name and names.setdefault(limit.name, index) != index:
            yield here.at("limits", index, "name").error("W0117", f'there is a limit "{limit.name}" already')
    yield from _check_use(here, spec)


def _check_use(here: Here, spec: RateLimitPolicy) -> Findings:
    """Fields that say nothing where they stand."""
    shared = any(limit.scope == "Global" for limit in spec.limits)
    if not shared:
        for name in ("on_failure", "timeout"):
            if name in spec.model_fields_set:
                place = here.at("onFailure" if name == "on_failure" else name)
                yield place.warning("W0128", "only Global limits ask the control plane", "remove it", at_key=True)
    if spec.response and spec.response.body and any(limit.scope != "Global" for limit in spec.limits):
        message = "requests that a Local limit refuses get no body of the policy's"
        yield here.at("response", "body").warning("W0128", message, "answers of Global limits have it", at_key=True)
    routes = sorted({target.kind for target in spec.target_refs if target.kind in _ROUTES})
    if spec.connections and routes:
        message = f"a connection is not one of a {routes[0]}, so the limit has no effect there"
        yield here.at("connections").warning("W0128", message, "attach it to a Service or a Gateway", at_key=True)


def _check_limit(here: Here, limit: Limit) -> Findings:
    if limit.name is not None and not is_dns_label(limit.name):
        yield here.at("name").error("W0107", f'"{limit.name[:80]}" cannot be the name of a limit', "use a-z, 0-9 and -")
    if limit.scope == "Global" and limit.burst is not None:
        message = "a Global limit counts in windows, it has no burst"
        yield here.at("burst").error("W0106", message, "remove it, or make the limit Local", at_key=True)
    if limit.scope != "Global" and limit.window is not None:
        message = "a Local limit is a bucket that is filled all the time, it has no window"
        yield here.at("window").error("W0106", message, "remove it, or make the limit Global", at_key=True)
    if limit.cost and limit.cost > (limit.burst or limit.requests):
        yield here.at("cost").error("W0111", "no request could ever pay so much", "lower the cost")
    for index, one in enumerate(limit.by):
        yield from _check_dimension(here.at("by", index), one)
    if limit.when is not None:
        yield from _check_condition(here.at("when"), limit.when)


def _check_dimension(here: Here, one: Dimension) -> Findings:
    given = sorted(one.model_fields_set)
    if len(given) != 1:
        yield here.error("W0106", "one thing is counted by, and there are " + str(len(given)), "keep one field")
    if one.header is not None and not is_header_name(one.header.name):
        yield here.at("header", "name").error("W0112", f'"{one.header.name[:80]}" is not a header name')


def _check_condition(here: Here, condition: Condition) -> Findings:
    for index, method in enumerate(condition.methods):
        if not _METHOD.fullmatch(method):
            yield here.at("methods", index).error("W0102", f'"{method[:40]}" is not a method', "write it in capitals")
    for index, header in enumerate(condition.headers):
        if not is_header_name(header.name):
            yield here.at("headers", index, "name").error("W0112", f'"{header.name[:80]}" is not a header name')
        yield from _check_text(here.at("headers", index), header)
    for index, parameter in enumerate(condition.query_parameters):
        yield from _check_text(here.at("queryParameters", index), parameter)
    if condition.path is not None:
        yield from _check_text(here.at("path"), condition.path)
    for index, identity in enumerate(condition.client_identities):
        if not _SPIFFE.fullmatch(identity):
            advice = "write it as spiffe://<trust domain>/ns/<namespace>/sa/<service account>"
            yield here.at("clientIdentities", index).error("W0102", f'"{identity[:80]}" is no SPIFFE ID', advice)


def _check_text(here: Here, condition: TextCondition) -> Findings:
    if condition.exact is not None and condition.prefix is not None:
        yield here.at("prefix").error("W0106", "exact and prefix exclude each other", "keep one", at_key=True)
    if condition.prefix == "" or condition.exact == "":
        yield here.error("W0122", "the condition is empty", "leave both out to ask only that it is there")
