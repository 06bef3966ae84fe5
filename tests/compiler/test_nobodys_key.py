"""The key that nobody can sign with."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec

from weft.compiler.http_filters.nobodys_key import nobodys_key, taken_by_envoy


def test_it_is_a_point_of_the_curve_and_the_same_every_time() -> None:
    x, y = (int.from_bytes(base64.urlsafe_b64decode(nobodys_key()[name] + "=")) for name in "xy")
    assert ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def test_a_set_keeps_its_keys_and_ends_with_it() -> None:
    made = json.loads(taken_by_envoy('{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"secret","kid":7}],"x":1}'))
    assert made == {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}, nobodys_key()]}


def test_what_is_no_set_is_it_alone() -> None:
    for text in ("", "nonsense", "[]", "{}", '{"keys":3}', "[" * 100_000):
        assert json.loads(taken_by_envoy(text)) == {"keys": [nobodys_key()]}
