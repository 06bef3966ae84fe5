"""Key sets as they come from issuers: only what proves signatures is kept, in one spelling."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from weft.jwks.errors import Unfetched
from weft.model.authentication import KeySource

Fetch = Callable[[str], Awaitable[bytes]]
"""The body of a URL."""

_DISCOVERY = "/.well-known/openid-configuration"
_MOST_KEYS = 100
_PUBLIC = {
    "RSA": ("kty", "kid", "alg", "use", "n", "e"),
    "EC": ("kty", "kid", "alg", "use", "crv", "x", "y"),
    "OKP": ("kty", "kid", "alg", "use", "crv", "x"),
}


async def key_set_of(source: KeySource, fetch: Fetch) -> str:
    """The keys of a source, as canonical JSON. Raises ``Unfetched``."""
    uri = source.uri
    if source.discovered:
        uri = _named(_object(await fetch(source.uri.rstrip("/") + _DISCOVERY)), source.uri)
    return public_keys(await fetch(uri))


def _named(configuration: dict[str, Any], issuer: str) -> str:
    """Where an issuer says its keys are; it must say that it is the issuer (OpenID Connect Discovery, 4.3)."""
    if configuration.get("issuer") != issuer:
        raise Unfetched("the OpenID configuration is of another issuer")
    uri = configuration.get("jwks_uri")
    if not isinstance(uri, str):
        raise Unfetched("the OpenID configuration names no jwks_uri")
    return uri


def public_keys(content: bytes) -> str:
    """The public parts of asymmetric keys; a secret that both sides would know proves nothing."""
    keys = _object(content).get("keys")
    if not isinstance(keys, list):
        raise Unfetched("the answer is not a JSON Web Key Set")
    kept = [public for key in keys[:_MOST_KEYS] if isinstance(key, dict) and (public := _public(key))]
    if not kept:
        raise Unfetched("the key set has no public key")
    return json.dumps({"keys": kept}, sort_keys=True, separators=(",", ":"))


def _public(key: dict[str, Any]) -> dict[str, str]:
    names = _PUBLIC.get(str(key.get("kty")), ())
    return {name: key[name] for name in names if isinstance(key.get(name), str)}


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as wrong:
        raise Unfetched("the answer is not JSON") from wrong
    if not isinstance(found, dict):
        raise Unfetched("the answer is not a JSON object")
    return found
