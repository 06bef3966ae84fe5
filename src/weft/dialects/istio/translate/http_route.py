"""The HTTP rules of a VirtualService in the model's words."""

import base64

from weft.dialects.grpc_status import GRPC_STATUS
from weft.dialects.istio.translate.cors import cors_policy
from weft.dialects.istio.translate.matching import destination, http_match
from weft.dialects.istio.types import http_route as wire
from weft.dialects.istio.types.matching import Percent
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.kit.value import first
from weft.model import route
from weft.model.document import Place

_AUTHORITY = ("host", ":authority")
RETRIABLE_STATUS_CODES = "retriable-status-codes"


def http_rule(rule: wire.HttpRoute, index: int, subject: Subject) -> route.HttpRule:
    """One rule, by its number in the document."""
    return route.HttpRule(
        name=rule.name or "",
        matches=tuple(http_match(match, subject) for match in rule.match),
        action=_action(rule, subject),
        headers=_headers(rule.headers),
        fault=_fault(rule.fault),
        cors=cors_policy(rule.cors_policy) if rule.cors_policy else None,
        delegate=_delegate(rule.delegate, subject),
        written=Place(document=subject.key, path=("spec", "http", index)),
    )


def _delegate(delegate: wire.Delegate | None, subject: Subject) -> route.Delegate | None:
    if delegate is None:
        return None
    return route.Delegate(namespace=delegate.namespace or subject.namespace, name=delegate.name or "")


def _action(rule: wire.HttpRoute, subject: Subject) -> route.Action:
    if rule.redirect is not None:
        return _redirect(rule.redirect)
    if rule.direct_response is not None:
        return _direct_response(rule.direct_response)
    return route.Forward(
        backends=tuple(_backend(share, subject, alone=len(rule.route) == 1) for share in rule.route),
        rewrite=_rewrite(rule),
        timeout=milliseconds(rule.timeout),
        retries=_retries(rule.retries, subject),
        mirrors=_mirrors(rule, subject),
    )


def _backend(share: wire.HttpRouteDestination, subject: Subject, *, alone: bool) -> route.Backend:
    """A destination alone gets everything, whatever its weight, and its authority is the rule's."""
    return route.Backend(
        destination=destination(share.destination, subject),
        weight=100 if alone else share.weight or 0,
        headers=_headers(share.headers),
        authority="" if alone else authority_set_by(share.headers),
    )


def _headers(headers: wire.Headers | None) -> route.Headers:
    if headers is None:
        return route.Headers()
    return route.Headers(request=_operations(headers.request), response=_operations(headers.response))


def _operations(operations: wire.HeaderOperations | None) -> route.HeaderOperations:
    """Changes; those of the authority are a rewrite, those of other pseudo headers do nothing (as in Istio)."""
    if operations is None:
        return route.HeaderOperations()
    return route.HeaderOperations(
        set=tuple((name, value) for name, value in sorted(operations.set.items()) if not _is_pseudo(name)),
        add=tuple((name, value) for name, value in sorted(operations.add.items()) if not _is_pseudo(name)),
        remove=tuple(name for name in operations.remove if not _is_pseudo(name)),
    )


def _is_pseudo(name: str) -> bool:
    return name.startswith(":") or name.lower() in _AUTHORITY


def authority_set_by(headers: wire.Headers | None) -> str:
    """The authority that header changes set, "" if they do not."""
    operations = headers.request if headers else None
    if operations is None:
        return ""
    changes = (*operations.set.items(), *operations.add.items())
    return first(value for name, value in changes if name.lower() in _AUTHORITY) or ""


def _rewrite(rule: wire.HttpRoute) -> route.Rewrite:
    rewrite = rule.rewrite or wire.HttpRewrite()
    path: route.PathRewrite | route.RegexRewrite | None = None
    if rewrite.uri:
        path = route.PathRewrite(to=rewrite.uri)
    elif rewrite.uri_regex_rewrite is not None:
        pattern = rewrite.uri_regex_rewrite
        path = route.RegexRewrite(pattern=pattern.match or "", substitution=pattern.rewrite or "")
    single = rule.route[0].headers if len(rule.route) == 1 else None
    authority = authority_set_by(single) or rewrite.authority or authority_set_by(rule.headers)
    return route.Rewrite(path=path, authority=authority)


def _retries(retries: wire.HttpRetry | None, subject: Subject) -> route.Retries | None:
    """``None`` is the mesh's default."""
    return None if retries is None else retries_of(retries, subject.settings.default_retries)


def retries_of(retries: wire.HttpRetry, default: route.Retries) -> route.Retries:
    """No attempts are no retries. Numbers among the conditions are status codes."""
    words = [word.strip() for word in (retries.retry_on or "").split(",") if word.strip()]
    codes = tuple(int(word) for word in words if word.isdigit())
    on = tuple(word for word in words if not word.isdigit())
    if codes and RETRIABLE_STATUS_CODES not in on:
        on = (*on, RETRIABLE_STATUS_CODES)
    return route.Retries(
        attempts=max(retries.attempts or 0, 0),
        on=on if words else default.on,
        codes=codes if words else default.codes,
        per_try_timeout=milliseconds(retries.per_try_timeout),
        backoff=milliseconds(retries.backoff),
        ignore_previous_hosts=retries.retry_ignore_previous_hosts is not False,
        remote_localities=bool(retries.retry_remote_localities),
    )


def _mirrors(rule: wire.HttpRoute, subject: Subject) -> tuple[route.Mirror, ...]:
    """``mirror`` or ``mirrors``; a share of 0 says that there is none."""
    shares = [(mirror.destination, _percent(mirror.percentage, 100.0)) for mirror in rule.mirrors]
    if rule.mirror is not None:
        deprecated = rule.mirror_percent if rule.mirror_percent is not None else rule.mirror_percent_snake
        unsaid = 100.0 if deprecated is None else float(deprecated)
        shares.append((rule.mirror, _percent(rule.mirror_percentage, unsaid)))
    return tuple(route.Mirror(destination=destination(target, subject), percent=percent) for target, percent in shares)


def _percent(percent: Percent | None, unsaid: float) -> float:
    return unsaid if percent is None else percent.value or 0.0


def _redirect(redirect: wire.HttpRedirect) -> route.Redirect:
    return route.Redirect(
        path=redirect.uri or "",
        path_prefix=redirect.prefix_rewrite or "",
        authority=redirect.authority or "",
        scheme=redirect.scheme or "",
        port=redirect.port or None,
        port_from_protocol=redirect.derive_port == "FROM_PROTOCOL_DEFAULT" and not redirect.port,
        port_from_request=redirect.derive_port == "FROM_REQUEST_PORT",
        code=redirect.redirect_code or 301,
    )


def _direct_response(response: wire.HttpDirectResponse) -> route.DirectResponse:
    body = response.body
    if body is None:
        return route.DirectResponse(status=response.status)
    text = body.string.encode() if body.string is not None else base64.b64decode(body.bytes or "")
    return route.DirectResponse(status=response.status, body=text)


def _fault(fault: wire.HttpFaultInjection | None) -> route.Fault | None:
    """No share is a share of 0, as in Istio."""
    delay, abort = (_delay(fault.delay), _abort(fault.abort)) if fault else (None, None)
    return None if delay is None and abort is None else route.Fault(delay=delay, abort=abort)


def _delay(delay: wire.Delay | None) -> route.Delay | None:
    fixed = milliseconds(delay.fixed_delay) if delay else None
    if delay is None or fixed is None:
        return None
    return route.Delay(fixed=fixed, percent=_percent(delay.percentage, float(delay.percent or 0)))


def _abort(abort: wire.Abort | None) -> route.Abort | None:
    if abort is None:
        return None
    grpc = GRPC_STATUS.get(abort.grpc_status) if abort.grpc_status else None
    if grpc is None and abort.http_status is None:
        return None
    return route.Abort(http_status=abort.http_status, grpc_status=grpc, percent=_percent(abort.percentage, 0.0))
