"""Tokens and key sets as the cases describe them: right ones, and every kind of wrong one."""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def encoded(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return encoded(value.to_bytes(size, "big"))


@cache
def key_named(name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A key; k2 is of an elliptic curve."""
    if name == "k2":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def _public(name: str) -> dict[str, str]:
    key = key_named(name)
    numbers = key.public_key().public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "alg": "RS256", "kid": name, "n": _number(numbers.n, 256), "e": _number(numbers.e, 3)}
    point = {"x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
    return {"kty": "EC", "alg": "ES256", "crv": "P-256", "kid": name, **point}


def key_set(names: str = "k1,k2") -> str:
    """The public keys of some names."""
    return json.dumps({"keys": [_public(name) for name in names.split(",")]})


def token(described: dict[str, Any]) -> str:
    """A token by its description: ``claims``, ``key``, ``kid``, ``alg``, ``header``, ``corrupt``, ``no_exp``."""
    now = int(time.time())
    claims = {"exp": now + 3600} | described["claims"]
    for name in ("exp", "nbf", "iat"):
        if isinstance(claims.get(name), str):
            claims[name] = now + int(claims[name])
    if described.get("no_exp"):
        del claims["exp"]
    name = described.get("key", "k1")
    algorithm = described.get("alg") or ("ES256" if name == "k2" else "RS256")
    kid = described.get("kid", name)
    header = {"alg": algorithm, "typ": "JWT", **({"kid": kid} if kid else {}), **described.get("header", {})}
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    signature = _signature(algorithm, name, signed.encode())
    if described.get("corrupt"):
        signature = bytes([signature[0] ^ 1]) + signature[1:]
    return f"{signed}.{encoded(signature)}"


def _signature(algorithm: str, name: str, content: bytes) -> bytes:
    key = key_named(name)
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hmac.new(pem, content, hashlib.sha256).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
