"""JWT-SVIDs: short-lived tokens that say who a workload is to whom (SPIFFE JWT-SVID, sections 2 to 4)."""

import base64
import binascii
from typing import Any

import msgspec

from weft.ca.jwt_keys import JwtKeys
from weft.kit.clock import Clock
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity

LIFETIME = 300.0
_LARGEST = 16 * 1024
_MOST_AUDIENCES = 20
_LONGEST_AUDIENCE = 1024
_LEEWAY = 10.0


class BadToken(PeerError):
    """A token that proves nothing; the message says why."""


class JwtSvid(Value):
    """A token and its end, in seconds since the epoch."""

    token: str
    expires: float


class JwtAuthority:
    """Signs tokens for one trust domain, and says whether one is good."""

    def __init__(self, keys: JwtKeys, trust_domain: str, clock: Clock) -> None:
        self.keys = keys
        self._trust_domain = trust_domain
        self._clock = clock

    def sign(self, identity: Identity, audience: tuple[str, ...]) -> JwtSvid:
        """A token of five minutes. Raises ``BadToken`` for an audience that is none."""
        if not 0 < len(audience) <= _MOST_AUDIENCES or not all(0 < len(one) <= _LONGEST_AUDIENCE for one in audience):
            raise BadToken(f"a token needs 1 to {_MOST_AUDIENCES} audiences")
        now = int(self._clock.now())
        expires = now + int(LIFETIME)
        header = {"alg": "ES256", "kid": self.keys.key_id, "typ": "JWT"}
        claims = {"sub": identity.uri, "aud": list(audience), "iat": now, "exp": expires}
        content = b".".join(_encoded(msgspec.json.encode(part)) for part in (header, claims))
        _, signature = self.keys.sign(content)
        return JwtSvid(token=(content + b"." + _encoded(signature)).decode("ascii"), expires=float(expires))

    def validate(self, token: str, audience: str) -> tuple[Identity, dict[str, Any]]:
        """Who a token is of, and its claims. Raises ``BadToken``."""
        if len(token) > _LARGEST or token.count(".") != 2:
            raise BadToken("this is no JWT")
        content, _, signature = token.rpartition(".")
        header, claims = (_part(one) for one in content.split("."))
        if header.get("alg") != "ES256" or header.get("typ", "JWT") not in ("JWT", "JOSE"):
            raise BadToken("the token is not signed as tokens of this mesh are")
        if not self.keys.verifies(str(header.get("kid", "")), content.encode(), _decoded(signature)):
            raise BadToken("the token is not signed by this trust domain")
        return self._subject(claims, audience), claims

    def _subject(self, claims: dict[str, Any], audience: str) -> Identity:
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires + _LEEWAY < self._clock.now():
            raise BadToken("the token has expired")
        named = claims.get("aud")
        if not audience or audience not in (named if isinstance(named, list) else [named]):
            raise BadToken("the token is for another audience")
        try:
            identity = parse_identity(str(claims.get("sub", "")))
        except ValueError:
            raise BadToken("the token is of nobody") from None
        if identity.trust_domain != self._trust_domain:
            raise BadToken("the token is of another trust domain")
        return identity


def _part(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(_decoded(text))
    except (msgspec.MsgspecError, RecursionError):
        raise BadToken("this is no JWT") from None
    if not isinstance(found, dict):
        raise BadToken("this is no JWT")
    return found


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadToken("this is no JWT") from None
