"""People known by an identity provider: OpenID Connect ID tokens as credentials of the API.

The words and what they mean are those of Kubernetes' API server (``--oidc-issuer-url`` and so on): a token is of the
issuer, for the client, and its claims name a user and groups, with prefixes so that nobody takes another's name. What
is stricter: no name that begins with ``system:`` or ``weft:`` is taken from a token, whatever the prefixes are.
"""

from collections.abc import Callable
from typing import Any

from weft.api.subjects import Subject, is_name
from weft.jwks.tokens import BadToken, Claims, UnknownKey, issuer_of, verified
from weft.kit.clock import Clock
from weft.kit.value import Value
from weft.model.authentication import KeySource

_RESERVED = ("system:", "weft:")
_MOST_GROUPS = 500


class Oidc(Value):
    """An issuer, and how its tokens name people. ``required`` are claims that a token must have, by name and value.

    ``ca`` are the certificates that the issuer's own is checked against, as PEM, "" for those of the system.
    """

    issuer: str
    client_id: str
    username_claim: str = "sub"
    username_prefix: str = ""
    groups_claim: str = ""
    groups_prefix: str = ""
    required: tuple[tuple[str, str], ...] = ()
    algorithms: tuple[str, ...] = ("RS256",)
    ca: str = ""

    @property
    def source(self) -> KeySource:
        """Where its keys are."""
        return KeySource(uri=self.issuer, discovered=True)


class IdTokens:
    """Knows whom a token is about. ``unknown_key`` is told of tokens that no known key has signed."""

    def __init__(self, oidc: Oidc, keys: Callable[[], str], clock: Clock, unknown_key: Callable[[], None]) -> None:
        self._oidc = oidc
        self._keys = keys
        self._clock = clock
        self._unknown_key = unknown_key

    def concerns(self, token: str) -> bool:
        """Whether a credential says that the issuer made it."""
        return issuer_of(token) == self._oidc.issuer

    def subject(self, token: str) -> Subject:
        """Whom a token of the issuer is about. Raises ``BadToken``."""
        oidc = self._oidc
        keys = self._keys()
        if not keys:
            raise BadToken("the issuer's keys are not known yet")
        try:
            claims = verified(
                token,
                keys=keys,
                issuer=oidc.issuer,
                audiences=(oidc.client_id,),
                algorithms=oidc.algorithms,
                now=self._clock.now(),
            )
        except UnknownKey:
            self._unknown_key()
            raise
        for name, value in oidc.required:
            if claims.get(name) != value:
                raise BadToken(f"the token does not have the claim {name}={value}")
        return Subject(name=_user(oidc, claims), groups=_groups(oidc, claims))


def _user(oidc: Oidc, claims: Claims) -> str:
    name = claims.get(oidc.username_claim)
    if not isinstance(name, str) or not name:
        raise BadToken(f"the token has no claim {oidc.username_claim}")
    if oidc.username_claim == "email" and claims.get("email_verified", True) is not True:
        raise BadToken("the token's email is not verified")
    name = oidc.username_prefix + name
    if not _may_be_taken(name):
        raise BadToken("the token names a user that no token can name")
    return name


def _groups(oidc: Oidc, claims: Claims) -> tuple[str, ...]:
    """The groups, one text or a list; those that nobody can take are left out."""
    found: Any = claims.get(oidc.groups_claim) if oidc.groups_claim else None
    listed = found if isinstance(found, list) else [found] if found is not None else []
    if len(listed) > _MOST_GROUPS or not all(isinstance(one, str) for one in listed):
        raise BadToken(f"the token's claim {oidc.groups_claim} is no list of groups")
    names = (oidc.groups_prefix + one for one in listed)
    return tuple(dict.fromkeys(name for name in names if _may_be_taken(name)))


def _may_be_taken(name: str) -> bool:
    return is_name(name) and not name.lower().startswith(_RESERVED)
