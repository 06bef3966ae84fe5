"""Key sets that Envoy takes whatever is in them, because they end with a public key that nobody has the other half of.

Envoy refuses a listener whose key set has no key that it can use, and every port would be closed for one mistake. The
key is a point of P-256 whose x is a hash of a sentence: whoever wanted its private half would have to find a discrete
logarithm. So it proves nothing, and an issuer without other keys has its tokens refused.
"""

import base64
import hashlib
import json
from functools import cache

_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_SENTENCE = "nobody has the private half of this key"
_MEMBERS = ("alg", "crv", "e", "k", "kid", "kty", "n", "use", "x", "y")


def taken_by_envoy(jwks: str) -> str:
    """The keys of a set, and nobody's key; of a text that is no key set, nobody's key alone."""
    keys = [*_keys(jwks), nobodys_key()]
    return json.dumps({"keys": keys}, sort_keys=True, separators=(",", ":"))


def _keys(jwks: str) -> list[dict[str, str]]:
    try:
        content = json.loads(jwks)
    except (ValueError, RecursionError):
        return []
    keys = content.get("keys") if isinstance(content, dict) else None
    found = keys if isinstance(keys, list) else []
    return [{name: key[name] for name in _MEMBERS if _is_text(key.get(name))} for key in found if isinstance(key, dict)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


@cache
def _point() -> tuple[int, int]:
    """The first hash of the sentence and a number that is the x of a point."""
    number = 0
    while True:
        x = int.from_bytes(hashlib.sha256(f"{_SENTENCE} {number}".encode()).digest()) % _PRIME
        square = (pow(x, 3, _PRIME) - 3 * x + _B) % _PRIME
        y = pow(square, (_PRIME + 1) // 4, _PRIME)
        if y * y % _PRIME == square:
            return x, y
        number += 1


def nobodys_key() -> dict[str, str]:
    """The key as a JSON Web Key."""
    x, y = (base64.urlsafe_b64encode(one.to_bytes(32)).rstrip(b"=").decode() for one in _point())
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "nobody", "x": x, "y": y}
