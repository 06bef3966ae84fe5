"""An HTTPRoute in the model's words: a rule for each match, the most specific first."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.backends import (
    apart,
    needs_own_rule,
    shares_of,
)
from weft.dialects.gateway_api.translate.filters import (
    check_of,
    cors_of,
    headers_of,
    mirrors_of,
    redirect_of,
    rewrite_of,
    rewrite_over,
)
from weft.dialects.gateway_api.translate.matching import http_match
from weft.dialects.gateway_api.translate.route_part import BROKEN, route_fragment
from weft.dialects.gateway_api.types import http_route as wire
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.model.match import HttpMatch
from weft.model.route import Action, Forward, HttpRule, Retries

_ATTEMPTS = 2
_ALWAYS = ("connect-failure", "refused-stream", "reset")
_BY_STATUS = "retriable-status-codes"


def translate(spec: wire.HttpRoute, subject: Subject) -> Fragment:
    """A route with its references."""
    return route_fragment(spec, spec.rules or (wire.HttpRouteRule(),), _rules, subject)


def _rules(rule: wire.HttpRouteRule, subject: Subject) -> Iterator[HttpRule]:
    for match in rule.matches or (wire.HttpRouteMatch(),):
        if any(needs_own_rule(ref) for ref in rule.backend_refs):
            yield from _split(rule, http_match(match), subject)
        else:
            yield _rule(rule, http_match(match), subject)


def _split(rule: wire.HttpRouteRule, match: HttpMatch, subject: Subject) -> Iterator[HttpRule]:
    """A rule for each backend that gets something, for the part of the requests that is its share."""
    parts = list(apart(rule.backend_refs, match))
    if not parts:
        yield _rule(rule, match, subject)
    for ref, part in parts:
        yield _rule(rule.model_copy(update={"backend_refs": (ref,)}), part, subject, ref)


def _rule(
    rule: wire.HttpRouteRule, match: HttpMatch, subject: Subject, only: wire.HttpBackendRef | None = None
) -> HttpRule:
    """``only``: the backend that the rule is for, whose filters come on top of the rule's."""
    own = only.filters if only else ()
    return HttpRule(
        name=rule.name or "",
        matches=(match,),
        action=_action(rule, match, subject, own),
        headers=headers_of(rule.filters),
        cors=cors_of((*own, *rule.filters)),
        check=check_of((*own, *rule.filters), subject),
    )


def _action(
    rule: wire.HttpRouteRule, match: HttpMatch, subject: Subject, own: Sequence[wire.HttpRouteFilter] = ()
) -> Action:
    """A filter that is not known is never left out: its requests are answered with 500."""
    if any(one.type == "ExtensionRef" for one in (*rule.filters, *own)):
        return BROKEN
    redirect = redirect_of((*own, *rule.filters), match.path)
    if redirect is not None:
        return redirect
    shares = shares_of(rule.backend_refs, subject)
    if not any(share.weight for share in shares):
        return BROKEN
    timeouts = rule.timeouts or wire.HttpRouteTimeouts()
    return Forward(
        backends=shares,
        rewrite=rewrite_over(rewrite_of(own, match.path), rewrite_of(rule.filters, match.path)),
        timeout=milliseconds(timeouts.request) or None,
        retries=_retries(rule.retry, timeouts, subject),
        mirrors=mirrors_of((*rule.filters, *own), subject),
    )


def _retries(retry: wire.HttpRouteRetry | None, timeouts: wire.HttpRouteTimeouts, subject: Subject) -> Retries | None:
    """Connections that fail or end, and attempts that take too long, are tried again; the mesh's default if unset."""
    limit = milliseconds(timeouts.backend_request) or None
    if retry is None:
        return replace(subject.settings.default_retries, per_try_timeout=limit) if limit else None
    return Retries(
        attempts=_ATTEMPTS if retry.attempts is None else retry.attempts,
        on=(*_ALWAYS, _BY_STATUS) if retry.codes else _ALWAYS,
        codes=retry.codes,
        per_try_timeout=limit,
        backoff=milliseconds(retry.backoff) or None,
    )
