"""Claims of tokens in the place of headers: ``@request.auth.claims.group``, ``@request.auth.claims[a][b]``.

Istio: ``ToRoutingClaim`` of ``pkg/jwt``.
"""

_CLAIMS = "@request.auth.claims"


def claim_of(name: str) -> tuple[str, ...] | None:
    """The keys that lead to a claim, ``None`` for what names a header. With dots each part is a key of its own; a key
    that has dots itself is written in brackets."""
    if not name.lower().startswith(_CLAIMS):
        return None
    rest = name[len(_CLAIMS) :]
    if rest.startswith("."):
        return tuple(rest[1:].split("."))
    if rest.startswith("[") and rest.endswith("]"):
        return tuple(rest[1:-1].split("]["))
    return None
