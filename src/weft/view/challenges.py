"""Proofs for authorities (ACME, RFC 8555, 8.3): what gateways answer, on their plaintext ports, before all else."""

from collections.abc import Iterable

from msgspec.structs import replace

from weft.model.issuing import Challenge
from weft.model.match import Exact, HeaderMatch, HttpMatch
from weft.model.route import DirectResponse, Redirect
from weft.view.view import GatewayRoutes, Route, VirtualHost

_PLACE = "/.well-known/acme-challenge/"
_TO_HTTPS = Route(
    match=HttpMatch(headers=(HeaderMatch(name="x-forwarded-proto", match=Exact(value="https"), inverted=True),)),
    action=Redirect(scheme="https"),
    name="to-https",
)
"""What ``https_only`` of a host does, which would come before its routes."""


def answering(routes: GatewayRoutes, challenges: Iterable[Challenge]) -> GatewayRoutes:
    """The routes of plaintext servers, with the answers. Hosts that a server has not are answered for as well."""
    by_host: dict[str, list[Challenge]] = {}
    for challenge in challenges:
        by_host.setdefault(challenge.host, []).append(challenge)
    if not by_host or routes.key.server:
        return routes
    hosts = routes.virtual_hosts
    named = {domain: host for host in hosts for domain in host.domains}
    made = [_with_answers(host, _base(host, named), found) for host, found in by_host.items()]
    others = [_without(host, by_host) for host in hosts]
    return replace(routes, virtual_hosts=(*(host for host in others if host.domains), *made))


def _base(host: str, named: dict[str, VirtualHost]) -> VirtualHost | None:
    """The virtual host that a host's requests go to: of its own name, of the longest wildcard, of all others."""
    wildcards = sorted((name for name in named if name.startswith("*") and host.endswith(name[1:])), key=len)
    best = host if host in named else wildcards[-1] if wildcards else ""
    return named.get(best)


def _with_answers(host: str, base: VirtualHost | None, challenges: list[Challenge]) -> VirtualHost:
    answers = tuple(_answer(challenge) for challenge in challenges)
    if base is None:
        return VirtualHost(host=host, port=80, domains=(host,), routes=answers)
    redirect = (_TO_HTTPS,) if base.https_only else ()
    return replace(base, host=host, domains=(host,), routes=(*answers, *redirect, *base.routes), https_only=False)


def _answer(challenge: Challenge) -> Route:
    return Route(
        match=HttpMatch(path=Exact(value=_PLACE + challenge.token)),
        action=DirectResponse(status=200, body=challenge.answer.encode()),
        name=f"acme-{challenge.token[:20]}",
    )


def _without(host: VirtualHost, taken: dict[str, list[Challenge]]) -> VirtualHost:
    return replace(host, domains=tuple(domain for domain in host.domains if domain not in taken))
