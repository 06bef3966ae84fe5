"""ID tokens as credentials: Kubernetes' rules of names and groups, and logins in the audit log."""

import asyncio
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from msgspec.structs import replace

from weft.api.admin import AdminToken
from weft.api.id_tokens import IdTokens, Oidc
from weft.api.identification import Identification
from weft.api.subjects import Subject
from weft.api.tokens import ApiTokens
from weft.jwks.keeper import KeyKeeper
from weft.jwks.tokens import BadToken, UnknownKey
from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.model.authentication import KeySet, KeySource
from weft.store.memory import MemoryStore

KEY, OTHER = (RSAKey.generate_key(2048, {"kid": name}) for name in ("one", "two"))
OIDC = Oidc(issuer="https://idp.example.com", client_id="weft", groups_claim="groups")


def keys(*found: RSAKey) -> str:
    return json.dumps({"keys": [key.as_dict(private=False) for key in found]})


def token(key: RSAKey = KEY, **claims: Any) -> str:
    whole = {"iss": OIDC.issuer, "aud": "weft", "sub": "jane", "exp": FakeClock().now() + 60} | claims
    return jwt.encode({"alg": "RS256", "kid": key.kid}, whole, key)


def subject(text: str, **options: Any) -> Subject:
    return IdTokens(replace(OIDC, **options), lambda: keys(KEY), FakeClock(), lambda: None).subject(text)


def test_names_and_groups_have_their_prefixes() -> None:
    found = subject(token(groups=["devs", "ops"]), username_prefix="idp:", groups_prefix="idp:")
    assert (found.name, found.groups) == ("idp:jane", ("idp:devs", "idp:ops"))


def test_one_group_may_be_a_text_and_none_may_be_asked_for() -> None:
    assert subject(token(groups="devs")).groups == ("devs",)
    assert subject(token(groups=["devs"]), groups_claim="").groups == ()
    assert subject(token()).groups == ()


def test_another_claim_may_be_the_name() -> None:
    assert subject(token(name="Jane"), username_claim="name").name == "Jane"
    with pytest.raises(BadToken, match="no claim name"):
        subject(token(), username_claim="name")


@pytest.mark.parametrize("verified", [False, "true", None])
def test_an_address_of_mail_counts_when_it_is_verified(verified: Any) -> None:
    with pytest.raises(BadToken, match="not verified"):
        subject(token(email="jane@example.com", email_verified=verified), username_claim="email")
    assert subject(token(email="a@b.c"), username_claim="email").name == "a@b.c"
    assert subject(token(email="a@b.c", email_verified=True), username_claim="email").name == "a@b.c"


@pytest.mark.parametrize("name", ["system:admin", "weft:admin", "System:x", "", "a b", "x" * 254, 7, None])
def test_no_token_takes_a_name_of_ours(name: Any) -> None:
    with pytest.raises(BadToken):
        subject(token(sub=name))


def test_a_group_of_ours_is_left_out() -> None:
    assert subject(token(groups=["system:masters", "devs", "a b"])).groups == ("devs",)
    assert subject(token(groups=["masters"]), groups_prefix="system:").groups == ()


@pytest.mark.parametrize("groups", [7, [1], {"a": 1}, ["x"] * 501])
def test_what_is_no_list_of_groups_is_refused(groups: Any) -> None:
    with pytest.raises(BadToken, match="no list of groups"):
        subject(token(groups=groups))


def test_claims_can_be_required() -> None:
    assert subject(token(tenant="shop"), required=(("tenant", "shop"),)).name == "jane"
    for claims in ({"tenant": "other"}, {"tenant": ["shop"]}, {}):
        with pytest.raises(BadToken, match="tenant=shop"):
            subject(token(**claims), required=(("tenant", "shop"),))


def test_nobody_is_known_before_the_keys_are() -> None:
    with pytest.raises(BadToken, match="not known yet"):
        IdTokens(OIDC, lambda: "", FakeClock(), lambda: None).subject(token())


class World:
    """Identification with an issuer, its keys, and what was audited."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.audited: list[AuditEntry] = []
        self.store = MemoryStore(self.clock)
        tokens = ApiTokens(self.store, self.clock)
        self.who = Identification(AdminToken(b""), tokens, self.clock, self.audited.append, OIDC)
        self.who.know([KeySet(source=OIDC.source, jwks=keys(KEY))])

    def name(self, text: str) -> str | None:
        found = asyncio.run(self.who.by_token(text))
        return found.name if found else None


def test_a_provider_whose_keys_are_not_known_is_a_trouble() -> None:
    world = World()
    assert world.who.troubles() == ()
    world.who.know([])
    assert "not known yet" in world.who.troubles()[0]


def test_a_login_is_written_down_once() -> None:
    world = World()
    text = token(groups=["devs"])
    assert [world.name(text) for _ in range(3)] == ["jane"] * 3
    (entry,) = world.audited
    assert (entry.verb, entry.who, entry.groups, entry.outcome) == ("login", "jane", ("devs",), Outcome.ALLOWED)
    assert text not in str(entry)
    world.name(token(sub="john"))
    assert [one.who for one in world.audited] == ["jane", "john"]


def test_a_refused_login_is_written_down_with_the_reason_and_cannot_flood_the_log() -> None:
    world = World()
    for _ in range(100):
        assert world.name(token(aud="other")) is None
    assert 1 <= len(world.audited) <= 20
    assert world.audited[0].outcome is Outcome.DENIED
    assert "somebody else" in world.audited[0].detail


def test_tokens_of_other_issuers_are_not_looked_at() -> None:
    world = World()
    assert world.name(token(iss="https://other.example.com")) is None
    assert world.audited == []


def test_a_token_ends_with_its_time() -> None:
    world = World()
    text = token()
    assert world.name(text) == "jane"
    world.clock.advance(61)
    assert world.name(text) is None


def test_a_new_key_of_the_issuer_is_had_soon_and_forgers_cannot_make_us_ask_on_and_on() -> None:
    world, asked, current = World(), [], [KEY]

    async def fetch(source: KeySource, seconds: float) -> str:
        asked.append(source)
        return keys(*current)

    keeper = KeyKeeper(
        wanted=world.who.sources,
        found=world.who.know,
        fetch=fetch,
        records=world.store,
        clock=world.clock,
        stale=world.who.stale,
    )
    asyncio.run(keeper.look())
    current.append(OTHER)
    world.clock.advance(20)
    rotated = token(OTHER, exp=world.clock.now() + 600)
    assert world.name(rotated) is None
    asyncio.run(keeper.look())
    assert world.name(rotated) == "jane"
    forger = RSAKey.generate_key(2048, {"kid": "forged"})
    for _ in range(10):
        world.name(token(forger))
        world.clock.advance(1)
        asyncio.run(keeper.look())
    assert len(asked) == 2
    with pytest.raises(UnknownKey):
        subject(rotated)
