"""JWT-SVIDs: who they are of, which are believed, and how the keys that sign them are replaced."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from tests.ca.chains import REVIEWS
from weft.ca.authority import Authority, open_authority, renew_authority
from weft.ca.jwt_keys import FILE, JwtKeys
from weft.ca.jwt_svid import BadToken, JwtAuthority
from weft.ca.spiffe_bundle import SpiffeBundle
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, SealingKey

DAY = 86400.0
OLD, NEW = SealingKey(b"o" * 32), SealingKey(b"n" * 32)
RING = Keyring((OLD,))


def opened(directory: Path, clock: FakeClock) -> JwtAuthority:
    return JwtAuthority(JwtKeys(directory, RING, clock), "cluster.local", clock)


def test_a_token_is_what_an_independent_library_believes(tmp_path: Path) -> None:
    clock = FakeClock()
    authority = opened(tmp_path, clock)
    made = authority.sign(REVIEWS, ("billing", "orders"))
    (key,) = SpiffeBundle(tmp_path, authority.keys).token_keys()
    assert jwt.get_unverified_header(made.token) == {"alg": "ES256", "kid": key["kid"], "typ": "JWT"}
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(made.token, jwt.PyJWK(key).key, algorithms=["ES256"], audience="billing", options=options)
    assert claims == {
        "sub": REVIEWS.uri,
        "aud": ["billing", "orders"],
        "iat": int(clock.now()),
        "exp": int(clock.now()) + 300,
    }
    assert authority.validate(made.token, "orders") == (REVIEWS, claims)


def forged(token: str, **changes: object) -> str:
    """The token with other claims and the signature that it had."""
    header, claims, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=="))
    encoded = base64.urlsafe_b64encode(json.dumps(content | changes).encode()).decode().rstrip("=")
    return f"{header}.{encoded}.{signature}"


def unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


def test_other_tokens_prove_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    authority = opened(tmp_path / "a", clock)
    token = authority.sign(REVIEWS, ("billing",)).token
    foreign = opened(tmp_path / "b", clock).sign(REVIEWS, ("billing",)).token
    victim = forged(token, sub="spiffe://cluster.local/ns/shop/sa/victim")
    for bad in (
        victim,
        unsigned(token),
        foreign,
        token[:-2],
        "",
        "a.b",
        "a.b.c",
        "\u00e9.b.c",
        "." * 20_000,
        token + ".",
    ):
        with pytest.raises(BadToken):
            authority.validate(bad, "billing")
    with pytest.raises(BadToken, match="another audience"):
        authority.validate(token, "orders")
    with pytest.raises(BadToken, match="another audience"):
        authority.validate(token, "")
    clock.advance(311)
    with pytest.raises(BadToken, match="expired"):
        authority.validate(token, "billing")


@pytest.mark.parametrize("audience", [(), ("",), ("x" * 2000,), ("a",) * 21])
def test_a_token_is_for_somebody(tmp_path: Path, audience: tuple[str, ...]) -> None:
    with pytest.raises(BadToken, match="audiences"):
        opened(tmp_path, FakeClock()).sign(REVIEWS, audience)


def test_keys_are_replaced_and_no_token_is_lost(tmp_path: Path) -> None:
    """Day for day of half a year: what was shown a day ago verifies what is signed now."""
    clock = FakeClock()
    authority = opened(tmp_path, clock)
    shown: set[str] = {name for name, _ in authority.keys.public()}
    signers = set()
    for day in range(180):
        token = authority.sign(REVIEWS, ("billing",)).token
        signer = jwt.get_unverified_header(token)["kid"]
        assert signer in shown
        signers.add(signer)
        shown = {name for name, _ in authority.keys.public()}
        assert len(shown) <= 3
        authority.keys.look()
        authority.validate(token, "billing")
        clock.advance(DAY)
        authority.keys.look()
        if day % 10 == 0:
            authority = opened(tmp_path, clock)
    assert len(signers) in (6, 7)


def test_the_keys_lie_sealed_and_move_to_a_new_key(tmp_path: Path, clock: FakeClock) -> None:
    authority: Authority = open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=RING)
    assert authority.bundle
    keys = JwtKeys(tmp_path, RING, clock)
    assert b"PRIVATE" not in (tmp_path / FILE).read_bytes()
    renew_authority(tmp_path, Keyring((NEW, OLD)))
    assert JwtKeys(tmp_path, Keyring((NEW,)), clock).key_id == keys.key_id
    with pytest.raises(UserError, match="sealed with the encryption key"):
        JwtKeys(tmp_path, RING, clock)


def test_the_bundle_counts_its_changes_and_no_others(tmp_path: Path, clock: FakeClock) -> None:
    authority = open_authority(tmp_path, trust_domain="cluster.local", clock=clock, keyring=RING)
    keys = JwtKeys(tmp_path, RING, clock)
    bundle = SpiffeBundle(tmp_path, keys)
    first = bundle.document(authority.bundle)
    assert [key["use"] for key in first["keys"]] == ["x509-svid", "jwt-svid"]
    assert first["spiffe_refresh_hint"] > 0
    assert SpiffeBundle(tmp_path, keys).document(authority.bundle) == first
    authority.begin_rotation(eager=True)
    both = bundle.document(authority.bundle)
    assert both["spiffe_sequence"] == first["spiffe_sequence"] + 1
    assert len(both["keys"]) == 3
    der = base64.b64decode(both["keys"][0]["x5c"][0])
    assert der[:1] == b"\x30"
