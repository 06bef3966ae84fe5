"""Tokens of issuers: what proves something, and every known way to make one that should not."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from weft.jwks.tokens import BadToken, UnknownKey, issuer_of, verified

NOW = 1_000_000.0
ISSUER = "https://idp.example.com"
OURS = RSAKey.generate_key(2048, {"kid": "one"})
CURVE = ECKey.generate_key("P-256", {"kid": "two"})
THEIRS = RSAKey.generate_key(2048, {"kid": "one"})
KEYS = json.dumps({"keys": [OURS.as_dict(private=False), CURVE.as_dict(private=False), {"kty": "RSA", "n": "!"}]})
GOOD = {"iss": ISSUER, "aud": "weft", "sub": "jane", "exp": NOW + 60}
ALLOWED = ("RS256", "ES256")


def token(claims: dict[str, Any], key: Any = OURS, **header: Any) -> str:
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    whole = {"alg": algorithm, "kid": key.kid} | header
    whole = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(whole, claims, key, algorithms=[whole["alg"]])


def by_hand(header: dict[str, Any], claims: Any, signature: bytes = b"x") -> str:
    parts = [
        json.dumps(header).encode(),
        claims if isinstance(claims, bytes) else json.dumps(claims).encode(),
        signature,
    ]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def check(text: str, keys: str = KEYS, now: float = NOW, algorithms: tuple[str, ...] = ALLOWED) -> dict[str, Any]:
    return verified(text, keys=keys, issuer=ISSUER, audiences=("weft",), algorithms=algorithms, now=now)


@pytest.mark.parametrize("key", [OURS, CURVE], ids=["RSA", "EC"])
def test_a_token_that_the_issuer_signed_for_us_is_taken(key: Any) -> None:
    assert check(token(GOOD, key))["sub"] == "jane"
    assert check(token(GOOD | {"aud": ["other", "weft"]}, key))["sub"] == "jane"
    assert issuer_of(token(GOOD, key)) == ISSUER


def test_a_token_without_a_key_s_name_is_tried_with_every_key_of_its_kind() -> None:
    assert check(token(GOOD, CURVE, kid=None))["sub"] == "jane"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iss": "https://other.example.com"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "somebody else"),
        ({"aud": None}, "somebody else"),
        ({"aud": {"weft": 1}}, "somebody else"),
        ({"exp": NOW}, "has ended"),
        ({"exp": None}, "no exp"),
        ({"exp": "never"}, "no exp"),
        ({"exp": True}, "no exp"),
        ({"exp": float("nan")}, "no exp"),
        ({"exp": float("inf")}, "no exp"),
        ({"exp": 10**400}, "no exp"),
        ({"nbf": NOW + 301}, "not hold yet"),
        ({"nbf": "x"}, "no nbf"),
    ],
)
def test_claims_that_are_wrong_are_told(changed: dict[str, Any], words: str) -> None:
    claims = {name: value for name, value in (GOOD | changed).items() if value is not None}
    with pytest.raises(BadToken, match=words):
        check(token(claims))


def test_an_issuer_s_clock_may_be_a_little_ahead() -> None:
    assert check(token(GOOD | {"nbf": NOW + 299}))


def test_a_key_of_somebody_else_proves_nothing() -> None:
    with pytest.raises(UnknownKey):
        check(token(GOOD, THEIRS))
    with pytest.raises(UnknownKey):
        check(token(GOOD, OURS, kid="other"))


def test_an_unsigned_token_is_refused() -> None:
    for name in ("none", "None", "NONE", ""):
        with pytest.raises(BadToken, match="algorithm"):
            check(by_hand({"alg": name}, GOOD, b""), algorithms=(*ALLOWED, name))


def test_a_public_key_is_no_secret() -> None:
    secret = OURS.as_pem(private=False)
    head, body, _ = by_hand({"alg": "HS256", "kid": "one"}, GOOD).split(".")
    mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for algorithms in (ALLOWED, (*ALLOWED, "HS256")):
        with pytest.raises(BadToken, match="algorithm"):
            check(forged, algorithms=algorithms)


def test_a_secret_among_the_keys_proves_nothing() -> None:
    secret = OctKey.generate_key(256)
    keys = json.dumps({"keys": [secret.as_dict(private=True)]})
    forged = jwt.encode({"alg": "HS256"}, GOOD, secret, algorithms=["HS256"])
    with pytest.raises(BadToken, match="algorithm"):
        check(forged, keys, algorithms=("HS256",))


def test_a_key_that_comes_with_the_token_is_not_believed() -> None:
    with pytest.raises(UnknownKey):
        check(token(GOOD, THEIRS, kid="x", jwk=THEIRS.as_dict(private=False)))
    with pytest.raises(UnknownKey):
        check(token(GOOD, THEIRS, kid="x", jku="https://evil.example.com/keys"))


def test_an_algorithm_that_is_not_allowed_here_is_refused() -> None:
    with pytest.raises(BadToken, match="algorithm"):
        check(token(GOOD, CURVE), algorithms=("RS256",))


def test_a_key_for_encryption_or_for_another_algorithm_signs_nothing() -> None:
    for fact in ({"use": "enc"}, {"alg": "RS512"}):
        keys = json.dumps({"keys": [OURS.as_dict(private=False) | fact]})
        with pytest.raises(UnknownKey):
            check(token(GOOD), keys)


def test_a_token_that_was_altered_is_refused() -> None:
    head, body, signature = token(GOOD).split(".")
    other = by_hand({}, GOOD | {"sub": "root"}).split(".")[1]
    with pytest.raises(UnknownKey):
        check(f"{head}.{other}.{signature}")
    with pytest.raises(UnknownKey):
        check(f"{head}.{body}.{signature[:-4]}AAAA")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d.e",
        "\u00e9.\u00e9.\u00e9",
        "e30.e30.",
        by_hand({"alg": "RS256"}, b"[" * 4000 + b"]" * 4000),
        by_hand({"alg": "RS256", "crit": ["x"], "x": 1}, GOOD),
        by_hand({"alg": "RS256"}, [1]),
        by_hand({"alg": ["RS256"]}, GOOD),
        by_hand({"alg": "RS256", "kid": {"a": 1}}, GOOD),
        by_hand({"alg": "RS256"}, b"9" * 9000),
        by_hand({"alg": "RS256"}, {"a": "x" * 20_000}),
    ],
)
def test_what_is_no_token_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadToken):
        check(text)
    issuer_of(text)
