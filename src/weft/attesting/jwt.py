"""JSON Web Tokens of issuers that the operator named: what their claims say, put into an identity of the mesh."""

import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from weft.attesting.choice import Claim, Jwt
from weft.ca.grounds import Ground
from weft.ca.proof import Proof, Unproved
from weft.jwks.tokens import BadToken, Claims, UnknownKey, issuer_of, verified
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.model.authentication import KeySet, KeySource
from weft.model.identity import Identity, parse_identity

_PATIENCE_MS = 5_000


class IssuerTokens:
    """Knows the issuers and, when it is told, their keys."""

    def __init__(self, issuers: Iterable[Jwt], trust_domain: str, clock: Clock) -> None:
        """Raises ``UserError`` for a file of authorities that cannot be used."""
        self._issuers = {one.issuer: one for one in issuers}
        self._trust_domain = trust_domain
        self._clock = clock
        self._trust = {one.source: _pem(one.ca_file) for one in self._issuers.values() if one.ca_file}
        self._keys: dict[KeySource, str] = {}
        self._stale: set[KeySource] = set()

    async def identity(self, proof: Proof) -> Identity:
        """Whom a token names. Raises ``Unproved``."""
        return (await self.admitted(proof))[0]

    async def admitted(self, proof: Proof) -> tuple[Identity, Ground]:
        """Whom a token names, and the claims that were looked at for it. Raises ``Unproved``."""
        issuer = self._issuer(issuer_of(proof.jwt) or "")
        claims = self._claims(issuer, proof.jwt)
        kept = msgspec.json.encode({name: claims[name] for name in _looked_at(issuer) if name in claims})
        return self._named(issuer, claims), Ground(kind="jwt", issuer=issuer.issuer, claims=kept.decode())

    def named(self, issuer: str, claims: str) -> Identity:
        """Whom claims that were kept (JSON) name by the rules of now. Raises ``Unproved``."""
        rule, kept = self._issuer(issuer), msgspec.json.decode(claims)
        audiences = kept.get("aud")
        if rule.audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise Unproved(f"the token was not for {rule.audience}")
        return self._named(rule, kept)

    def _issuer(self, name: str) -> Jwt:
        issuer = self._issuers.get(name)
        if issuer is None:
            raise Unproved("the token is of an issuer that may not say who workloads are")
        return issuer

    def _named(self, issuer: Jwt, claims: Claims) -> Identity:
        for name, value in issuer.required.items():
            if claims.get(name) != value:
                raise Unproved(f"the token does not have the claim {name}={value}")
        namespace, account = _text(issuer.namespace, claims), _text(issuer.account, claims)
        try:
            return parse_identity(f"spiffe://{self._trust_domain}/ns/{namespace}/sa/{account}")
        except ValueError as odd:
            raise Unproved(str(odd)) from odd

    def sources(self) -> dict[KeySource, int]:
        """Where the keys are, with the milliseconds that asking may take."""
        return {one.source: _PATIENCE_MS for one in self._issuers.values()}

    def know(self, keys: Iterable[KeySet]) -> None:
        """Take the issuers' keys out of all that are known."""
        sources = self.sources()
        self._keys = {one.source: one.jwks for one in keys if one.source in sources}

    def stale(self) -> tuple[KeySource, ...]:
        """The sources of keys that a token since the last call was not signed with."""
        stale, self._stale = tuple(self._stale), set()
        return stale

    def trust(self, source: KeySource) -> str:
        """The certificates to check an issuer's own against, as PEM; "" for those of the system."""
        return self._trust.get(source, "")

    def _claims(self, issuer: Jwt, token: str) -> Claims:
        keys = self._keys.get(issuer.source, "")
        if not keys:
            raise Unproved(f"the keys of {issuer.issuer} are not known")
        try:
            return verified(
                token,
                keys=keys,
                issuer=issuer.issuer,
                audiences=(issuer.audience,),
                algorithms=issuer.algorithms,
                now=self._clock.now(),
            )
        except UnknownKey as unknown:
            self._stale.add(issuer.source)
            raise Unproved(str(unknown)) from unknown
        except BadToken as bad:
            raise Unproved(str(bad)) from bad


def _pem(file: str) -> str:
    try:
        pem = Path(file).read_text("ascii")
        ssl.create_default_context(cadata=pem)
    except (OSError, ValueError) as wrong:
        raise UserError(f"{file} holds no certificate of an issuer", help="it must be a PEM file") from wrong
    return pem


def _looked_at(issuer: Jwt) -> set[str]:
    """The names of the claims that a rule is about."""
    parts = [part.claim for part in (issuer.namespace, issuer.account) if part.claim]
    return {"aud", *issuer.required, *(part if isinstance(part, str) else part[0] for part in parts)}


def _text(wanted: Claim, claims: Claims) -> str:
    """A part of the identity."""
    if wanted.value:
        return wanted.value
    path = (wanted.claim,) if isinstance(wanted.claim, str) else wanted.claim
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise Unproved(f"the token has no claim {'.'.join(path)}")
    if not wanted.pattern:
        return found
    match = re.fullmatch(wanted.pattern, found)
    if match is None or not match[1]:
        raise Unproved(f"the claim {'.'.join(path)} is not as it must be: {found[:200]!r}")
    return match[1]
