"""The trust bundle as SPIFFE writes it: a JWK set of roots and of token keys (Trust Domain and Bundle, section 4)."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from weft.ca.jwt_keys import JwtKeys
from weft.kit.files import write_whole
from weft.kit.value import Value

REFRESH_SECONDS = 60
_FILE = "bundle-sequence.json"

Json = dict[str, Any]


class _Sequence(Value):
    """``number`` grows whenever what ``digest`` is of has changed."""

    number: int = 0
    digest: str = ""


class SpiffeBundle:
    """The bundle of one trust domain; its sequence number is in the authority's directory."""

    def __init__(self, directory: Path, keys: JwtKeys) -> None:
        self._file = directory / _FILE
        self._keys = keys
        try:
            self._sequence = msgspec.json.decode(self._file.read_bytes(), type=_Sequence)
        except (OSError, msgspec.MsgspecError):
            self._sequence = _Sequence()

    def document(self, bundle: str) -> Json:
        """The document for roots in PEM."""
        keys = [*_roots(bundle), *self.token_keys()]
        digest = hashlib.sha256(msgspec.json.encode(keys)).hexdigest()
        if digest != self._sequence.digest:
            self._sequence = _Sequence(number=self._sequence.number + 1, digest=digest)
            write_whole(self._file, msgspec.json.encode(self._sequence))
        return {"keys": keys, "spiffe_sequence": self._sequence.number, "spiffe_refresh_hint": REFRESH_SECONDS}

    def token_keys(self) -> list[Json]:
        """The keys of JWT-SVIDs."""
        return [_jwk(key) | {"kid": name, "use": "jwt-svid", "alg": "ES256"} for name, key in self._keys.public()]


def _roots(bundle: str) -> list[Json]:
    found = x509.load_pem_x509_certificates(bundle.encode("ascii"))
    return [_jwk(one.public_key()) | {"use": "x509-svid", "x5c": [_standard(one)]} for one in found]


def _jwk(key: object) -> Json:
    """The public key (RFC 7518, section 6)."""
    match key:
        case ec.EllipticCurvePublicKey():
            numbers, size = key.public_numbers(), (key.key_size + 7) // 8
            curve = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
            return {"kty": "EC", "crv": curve, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        case rsa.RSAPublicKey():
            parts = key.public_numbers()
            return {"kty": "RSA", "n": _number(parts.n), "e": _number(parts.e)}
        case _:
            return {"kty": "OKP"}


def _number(value: int, size: int = 0) -> str:
    content = value.to_bytes(size or (value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _standard(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
