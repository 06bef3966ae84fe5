"""Are these the words of that issuer? JSON Web Tokens checked against its keys, without I/O.

What a token says of itself decides nothing: the algorithms are those that are allowed, all of them asymmetric, and the
keys those that were fetched (RFC 8725, 3.1 and 3.8). Stands apart because people and workloads are known by tokens.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from weft.kit.errors import WeftError

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
"""What may be allowed: the list of Kubernetes' ``--oidc-signing-algs``."""
_LONGEST = 16 * 1024
_EARLY = 300.0
"""Seconds that an issuer's clock may be ahead of ours; an end is an end."""
_END_OF_TIME = 1e12

Claims = dict[str, Any]
"""What a token says, as JSON."""


class BadToken(WeftError):
    """A token that proves nothing; the message says why, in words for whoever runs the control plane."""


class UnknownKey(BadToken):
    """A token that none of the keys has signed: it is forged, or the issuer has new ones."""


def verified(
    token: str, *, keys: str, issuer: str, audiences: Iterable[str], algorithms: Iterable[str], now: float
) -> Claims:
    """What a token says, if the issuer said it, to one of the audiences, and it holds now. Raises ``BadToken``.

    ``keys`` is a JSON Web Key Set, ``now`` seconds since the epoch.
    """
    claims = _signed(token, keys, tuple(algorithms))
    if claims.get("iss") != issuer:
        raise BadToken("the token is of another issuer")
    if not set(_texts(claims.get("aud"))) & set(audiences):
        raise BadToken("the token is for somebody else")
    if now >= _time(claims, "exp"):
        raise BadToken("the token has ended")
    if "nbf" in claims and now + _EARLY < _time(claims, "nbf"):
        raise BadToken("the token does not hold yet")
    return claims


def issuer_of(token: str) -> str | None:
    """Who a token says has made it, before anything is checked; ``None`` for what is no token."""
    if len(token) > _LONGEST or token.count(".") != 2:
        return None
    issuer = (_part(token, 1) or {}).get("iss")
    return issuer if isinstance(issuer, str) else None


def _signed(token: str, keys: str, algorithms: tuple[str, ...]) -> Claims:
    from joserfc import jwt
    from joserfc.errors import JoseError

    header = _part(token, 0) if len(token) <= _LONGEST and token.count(".") == 2 else None
    if header is None:
        raise BadToken("this is no token")
    algorithm = header.get("alg")
    if algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise BadToken("the token's algorithm is not allowed")
    for key in _candidates(keys, header.get("kid"), algorithm):
        try:
            return jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
    raise UnknownKey("no key of the issuer has signed the token")


def _candidates(keys: str, kid: Any, algorithm: str) -> Iterator[Any]:
    """The keys that may have signed: of the name that the token gives, all when it gives none."""
    for known in _imported(keys):
        if known.get("use") not in (None, "sig") or known.get("alg") not in (None, algorithm):
            continue
        if kid is None or known.get("kid") in (None, kid):
            yield known


@lru_cache(maxsize=8)
def _imported(keys: str) -> tuple[Any, ...]:
    """The keys of a set; one that is broken proves nothing and takes no other with it."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    found = []
    for key in json.loads(keys)["keys"]:
        try:
            found.append(JWKRegistry.import_key(key))
        except (JoseError, ValueError, TypeError):
            continue
    return tuple(found)


def _part(token: str, number: int) -> Claims | None:
    text = token.split(".")[number]
    try:
        found = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _texts(value: Any) -> tuple[str, ...]:
    """A text, or a list of them."""
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, str))


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _END_OF_TIME:
        raise BadToken(f"the token has no {name}")
    return float(value)
