"""Who asks: every kind of credential that the API takes, in one place.

The administrator's token, API tokens, certificates and, where an issuer is configured, its ID tokens. The first that a
credential can be decides; what is refused by it is not tried as another. The first use of an ID token or a certificate
is a login and is audited.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from weft.api.admin import AdminToken
from weft.api.builtin_roles import AUTHENTICATED, MASTERS
from weft.api.certificates import BadCertificate, Certificates
from weft.api.id_tokens import IdTokens, Oidc
from weft.api.subjects import Shown, Subject
from weft.api.tokens import ApiTokens
from weft.jwks.tokens import BadToken
from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.authentication import KeySet, KeySource

ADMINISTRATOR = Subject(name="weft:admin", groups=(MASTERS, AUTHENTICATED))
_REMEMBERED = 10_000
_REFUSALS_PER_SECOND = 1.0
_REFUSALS_BURST = 20
_PATIENCE_MS = 5_000


class Logins:
    """Writes the first use of a credential into the audit log, and so many a second of those that were refused."""

    def __init__(self, auditor: Auditor, clock: Clock) -> None:
        self._write = auditor
        self._refusals = Rates(clock, per_second=_REFUSALS_PER_SECOND, burst=_REFUSALS_BURST)
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def used(self, credential: bytes, subject: Subject, by: str) -> None:
        """A credential was taken; of those that were used lately, nothing is written again."""
        digest = hashlib.sha256(credential).digest()
        known = digest in self._seen
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        if not known:
            entry = AuditEntry(verb="login", who=subject.name, groups=subject.groups, outcome=Outcome.ALLOWED)
            self._write(msgspec.structs.replace(entry, detail=by))

    def refused(self, why: str) -> None:
        """A credential of a known kind was not taken."""
        if self._refusals.allows(""):
            self._write(AuditEntry(verb="login", who="", outcome=Outcome.DENIED, code=401, detail=why))


class Identification:
    """Tells whose a credential is. ``sources`` and ``know`` are for who keeps the keys of issuers."""

    def __init__(
        self,
        admin: AdminToken,
        tokens: ApiTokens,
        clock: Clock,
        auditor: Auditor,
        oidc: Oidc | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._admin = admin
        self._tokens = tokens
        self._oidc = oidc
        self._certificates = certificates
        self._keys = ""
        self._stale = False
        self._logins = Logins(auditor, clock)
        self._id_tokens = IdTokens(oidc, lambda: self._keys, clock, self._missed) if oidc else None

    async def by_token(self, token: str) -> Subject | None:
        """Whose a token is, ``None`` if it is nobody's."""
        if self._admin.accepts(token):
            return ADMINISTRATOR
        found = await self._tokens.subject(token) or self._by_id_token(token)
        return authenticated(found) if found else None

    async def by_certificate(self, shown: Shown) -> Subject | None:
        """Whose a certificate is, ``None`` if it is nobody's."""
        if self._certificates is None:
            return None
        try:
            found = self._certificates.subject(shown)
        except BadCertificate as bad:
            self._logins.refused(f"certificate: {bad}")
            return None
        self._logins.used(shown.chain[0], found, "by a certificate")
        return authenticated(found)

    def _by_id_token(self, token: str) -> Subject | None:
        if self._id_tokens is None or not self._id_tokens.concerns(token):
            return None
        try:
            found = self._id_tokens.subject(token)
        except BadToken as bad:
            self._logins.refused(f"ID token: {bad}")
            return None
        self._logins.used(token.encode(), found, "by an ID token")
        return found

    def sources(self) -> dict[KeySource, int]:
        """Where the issuer's keys are, with the milliseconds that asking may take."""
        return {self._oidc.source: _PATIENCE_MS} if self._oidc else {}

    def know(self, keys: Iterable[KeySet]) -> None:
        """Take the issuer's keys out of all that are known."""
        if self._oidc:
            self._keys = next((one.jwks for one in keys if one.source == self._oidc.source), "")

    def troubles(self) -> tuple[str, ...]:
        """What keeps people from logging in, in sentences."""
        if self._oidc is None or self._keys:
            return ()
        return ("the keys of the OpenID provider are not known yet, so nobody can log in with it",)

    def trust(self, source: KeySource) -> str:
        """The certificates to check a source's own against, as PEM; "" for those of the system."""
        return self._oidc.ca if self._oidc and source == self._oidc.source else ""

    def stale(self) -> tuple[KeySource, ...]:
        """The sources of keys that a token since the last call was not signed with."""
        stale, self._stale = self._stale, False
        return tuple(self.sources()) if stale else ()

    def _missed(self) -> None:
        self._stale = True


def authenticated(subject: Subject) -> Subject:
    """The subject, as one of all who are known."""
    return msgspec.structs.replace(subject, groups=tuple(dict.fromkeys((*subject.groups, AUTHENTICATED))))
