"""Matches, destinations and references: what every kind of route needs translated."""

from collections.abc import Mapping

from weft.dialects.istio.claims import claim_of
from weft.dialects.istio.types.http_route import HttpMatchRequest
from weft.dialects.istio.types.matching import Destination, StringMatch
from weft.dialects.served import Subject
from weft.dialects.syntax import qualify
from weft.kit.value import labels_of
from weft.model import match, route

MESH = "mesh"


def destination(wire: Destination, subject: Subject) -> route.Destination:
    """A destination by its full host name."""
    host = qualify(wire.host, subject.namespace, subject.settings.domain_suffix)
    port = wire.port.number if wire.port else None
    return route.Destination(host=host, subset=wire.subset or "", port=port or None)


def gateway(name: str, subject: Subject) -> str:
    """A gateway as ``namespace/name``; ``gateway.example.com`` is an old way to write ``example/gateway``."""
    if name == MESH or "/" in name:
        return name
    own, dot, rest = name.partition(".")
    return f"{rest.partition('.')[0]}/{own}" if dot else f"{subject.namespace}/{name}"


def text_match(wire: StringMatch) -> match.TextMatch:
    """A condition on a text; the empty one, and the expression ``*``, ask for presence only."""
    if wire.exact is not None:
        return match.Exact(value=wire.exact)
    if wire.prefix is not None:
        return match.Prefix(value=wire.prefix)
    if wire.regex is not None and wire.regex != "*":
        return match.Regex(value=wire.regex)
    return match.Present()


def http_match(wire: HttpMatchRequest, subject: Subject) -> match.HttpMatch:
    """One entry of ``match``."""
    return match.HttpMatch(
        name=wire.name or "",
        stat_prefix=wire.stat_prefix or "",
        path=_path(wire.uri),
        ignore_case=bool(wire.ignore_uri_case),
        method=_optional(wire.method),
        scheme=_optional(wire.scheme),
        authority=_optional(wire.authority),
        headers=(*_headers(wire.headers, inverted=False), *_headers(wire.without_headers, inverted=True)),
        claims=(*_claims(wire.headers, inverted=False), *_claims(wire.without_headers, inverted=True)),
        query=tuple(
            match.QueryMatch(name=name, match=text_match(wanted)) for name, wanted in sorted(wire.query_params.items())
        ),
        port=wire.port or None,
        source_labels=labels_of(wire.source_labels),
        source_namespace=wire.source_namespace or "",
        gateways=tuple(gateway(name, subject) for name in wire.gateways),
    )


def _path(wire: StringMatch | None) -> match.PathMatch | None:
    wanted = text_match(wire) if wire else None
    return None if isinstance(wanted, match.Present) or wanted == match.Prefix(value="") else wanted


def _optional(wire: StringMatch | None) -> match.TextMatch | None:
    return text_match(wire) if wire else None


def _headers(wire: Mapping[str, StringMatch], *, inverted: bool) -> tuple[match.HeaderMatch, ...]:
    return tuple(
        match.HeaderMatch(name=name, match=text_match(wanted), inverted=inverted)
        for name, wanted in sorted(wire.items())
        if claim_of(name) is None
    )


def _claims(wire: Mapping[str, StringMatch], *, inverted: bool) -> tuple[match.ClaimMatch, ...]:
    if not wire:
        return ()
    return tuple(
        match.ClaimMatch(keys=keys, match=text_match(wanted), inverted=inverted)
        for name, wanted in sorted(wire.items())
        if (keys := claim_of(name)) is not None
    )
