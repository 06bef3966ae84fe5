"""A token as a caller has it, and the key set of its issuer."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from weft.kit.value import Value

ISSUER, SUBJECT = "https://issuer.bench", "user-7"
_HOURS = 12 * 3600
_BYTES = 32


class Signed(Value):
    """A token of an hour's life and more (ES256), and its issuer's keys as JSON."""

    token: str
    jwks: str


def signed() -> Signed:
    """A new key and a token that it has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": ["bench"], "scope": "read write", "exp": int(time.time()) + _HOURS}
    said = f"{_json({'alg': 'ES256', 'typ': 'JWT', 'kid': 'bench'})}.{_json(claims)}"
    numbers = decode_dss_signature(key.sign(said.encode(), ec.ECDSA(hashes.SHA256())))
    token = f"{said}.{_words(b''.join(one.to_bytes(_BYTES) for one in numbers))}"
    place = key.public_key().public_numbers()
    x, y = (_words(one.to_bytes(_BYTES)) for one in (place.x, place.y))
    known = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "bench", "x": x, "y": y}
    return Signed(token=token, jwks=json.dumps({"keys": [known]}))


def _json(content: object) -> str:
    return _words(json.dumps(content).encode())


def _words(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
