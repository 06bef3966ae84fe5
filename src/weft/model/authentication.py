"""Tokens that requests carry: Istio's ``RequestAuthentication``."""

from weft.kit.value import Labels, Value
from weft.model.authorization import TargetRef
from weft.model.document import Origin


class TokenHeader(Value):
    """A header with a token after a prefix."""

    name: str
    prefix: str = ""


class ClaimHeader(Value):
    """A claim that is told to the application in a header."""

    header: str
    claim: str


class TokenRule(Value):
    """Tokens of one issuer. Keys are ``jwks`` as it is written, or what ``jwks_uri`` has; with neither, what the
    issuer's OpenID configuration names. ``required``: a request without such a
    token is refused. ``timeout`` is milliseconds. No ``headers``, ``params`` or ``cookies``: where
    RFC 6750 has them, ``Authorization: Bearer`` and the parameter ``access_token``.
    """

    issuer: str
    audiences: tuple[str, ...] = ()
    jwks: str = ""
    jwks_uri: str = ""
    headers: tuple[TokenHeader, ...] = ()
    params: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    payload_header: str = ""
    claim_headers: tuple[ClaimHeader, ...] = ()
    forward: bool = False
    required: bool = False
    timeout: int = 5_000
    space_delimited: tuple[str, ...] = ()

    @property
    def keys(self) -> "KeySource | None":
        """Where keys are asked for, ``None`` when they are written in the rule."""
        if self.jwks:
            return None
        if self.jwks_uri:
            return KeySource(uri=self.jwks_uri)
        return KeySource(uri=self.issuer, discovered=True)


class KeySource(Value):
    """A place of keys: a key set, or (``discovered``) an issuer whose OpenID configuration names one."""

    uri: str
    discovered: bool = False


class KeySet(Value):
    """Keys that were found, as JSON."""

    source: KeySource
    jwks: str


class TokenPolicy(Value):
    """One document, for workloads as an ``AccessPolicy`` is."""

    origin: Origin
    namespace: str
    rules: tuple[TokenRule, ...] = ()
    selector: Labels = ()
    targets: tuple[TargetRef, ...] = ()
