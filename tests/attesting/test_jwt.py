"""Tokens of issuers: claims become an identity only as the operator said, and only of tokens that hold."""

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from weft.attesting.choice import Claim, Jwt
from weft.attesting.jwt import IssuerTokens
from weft.ca.proof import Proof, Unproved
from weft.kit.clock import FakeClock
from weft.model.authentication import KeySet

pytestmark = pytest.mark.asyncio
ISSUER = "https://ci.example.com"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
CHOSEN = Jwt(
    issuer=ISSUER,
    audience="weft",
    namespace=Claim(claim=("kubernetes.io", "namespace")),
    account=Claim(claim="sub", pattern="repo:acme/([a-z-]+):ref:refs/heads/main"),
    required={"event": "push"},
)


class Rig:
    def __init__(self, chosen: Jwt = CHOSEN) -> None:
        self.clock = FakeClock()
        self.tokens = IssuerTokens([chosen], "cluster.local", self.clock)
        keys = json.dumps({"keys": [KEY.as_dict(private=False)]})
        self.tokens.know([KeySet(source=chosen.source, jwks=keys)])

    def token(self, key: Any = KEY, **changes: Any) -> str:
        claims = {
            "iss": ISSUER,
            "aud": "weft",
            "sub": "repo:acme/web:ref:refs/heads/main",
            "exp": self.clock.now() + 60,
            "event": "push",
            "kubernetes.io": {"namespace": "shop"},
        } | changes
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)

    async def identity(self, **changes: Any) -> str:
        return (await self.tokens.identity(Proof(jwt=self.token(**changes)))).uri


async def test_claims_name_the_account_as_the_operator_said() -> None:
    assert await Rig().identity() == "spiffe://cluster.local/ns/shop/sa/web"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "other"}, "somebody else"),
        ({"exp": 1}, "has ended"),
        ({"iss": "https://other.example.com"}, "issuer that may not"),
        ({"event": "pull_request"}, "event=push"),
        ({"sub": "repo:evil/web:ref:refs/heads/main"}, "not as it must be"),
        ({"sub": "repo:acme/web:ref:refs/heads/main\n"}, "not as it must be"),
        ({"sub": ["repo:acme/web:ref:refs/heads/main"]}, "no claim sub"),
        ({"kubernetes.io": "shop"}, "no claim kubernetes.io.namespace"),
        ({"kubernetes.io": {"namespace": "shop/sa/root"}}, "SPIFFE ID"),
        ({"kubernetes.io": {"namespace": ".."}}, "segment"),
        ({"key": OTHER}, "no key of the issuer"),
    ],
)
async def test_what_is_not_meant_proves_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Unproved) as refused:
        await Rig().identity(**changes)
    assert words in refused.value.why
    assert words not in str(refused.value), "the caller is not told"


async def test_an_unknown_key_has_the_issuer_asked_again_once() -> None:
    rig = Rig()
    with pytest.raises(Unproved):
        await rig.identity(key=OTHER)
    assert rig.tokens.stale() == (CHOSEN.source,)
    assert rig.tokens.stale() == ()


async def test_an_issuer_whose_keys_are_not_known_proves_nothing() -> None:
    rig = Rig()
    rig.tokens.know([])
    with pytest.raises(Unproved):
        await rig.identity()
