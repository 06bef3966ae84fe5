"""A rule's ``corsPolicy`` in the model's words."""

from weft.dialects.istio.types.http_route import CorsPolicy
from weft.dialects.istio.types.matching import StringMatch
from weft.dialects.syntax import milliseconds
from weft.model import match, route


def cors_policy(wire: CorsPolicy) -> route.CorsPolicy:
    """The deprecated ``allowOrigin`` counts where ``allowOrigins`` is not set, each entry as the whole origin."""
    age = milliseconds(wire.max_age)
    exact = tuple(match.Exact(value=origin) for origin in wire.allow_origin)
    return route.CorsPolicy(
        allow_origins=tuple(_origin(origin) for origin in wire.allow_origins) or exact,
        allow_methods=wire.allow_methods,
        allow_headers=wire.allow_headers,
        expose_headers=wire.expose_headers,
        max_age=None if age is None else age // 1000,
        allow_credentials=wire.allow_credentials,
        forward_unmatched=wire.unmatched_preflights != "IGNORE",
    )


def _origin(wire: StringMatch) -> match.ValueMatch:
    if wire.prefix:
        return match.Prefix(value=wire.prefix)
    return match.Regex(value=wire.regex) if wire.regex else match.Exact(value=wire.exact or "")
