"""The mesh's key in a PKCS #11 token: an intermediate or a root whose certificate is a file."""

import asyncio
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from weft.ca.certificates import SigningKey, pem_of, root_certificate
from weft.ca.chains import certificates_in
from weft.ca.issuer import Issuer
from weft.ca.keyed import Keyed
from weft.ca.plugged import content_of, issuer_of
from weft.ca.signer import Leaf, SignerAway
from weft.ca.token_keys import TokenEcKey, TokenPlace, TokenSession, key_in_token
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.identity import Identity

_PROBE = b"weft asks whether this key is that of the certificate"


class TokenFiles(Value):
    """Beside the key: its certificate, what lies between it and the roots, the roots."""

    certificate: Path
    roots: Path
    chain: Path | None = None


class TokenSigner(Keyed):
    """Signs with a key that never leaves its token. Signing waits for the token in a thread, one at a time."""

    kind = "pkcs11"

    def __init__(
        self, session: TokenSession, files: TokenFiles, trust_domain: str, clock: Clock, lifetime: float
    ) -> None:
        super().__init__(str(files.certificate), trust_domain, clock, lifetime)
        self._session = session
        self._files = files
        self._turn = asyncio.Lock()
        self._seen = self._contents()
        self._roots, self._issuer = self._read()

    async def issue(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf. Raises ``BadRequest`` and ``SignerAway``."""
        now, issuer = self._clock.now(), self._issuer
        if issuer.expires <= now:
            raise SignerAway(f"the certificate in {self._files.certificate} has ended")
        async with self._turn:
            return await asyncio.to_thread(issuer.leaf, request, identity, now, self.lifetime)

    async def look(self) -> bool:
        """Read certificates that changed. Raises ``UserError`` as long as they make no sense."""
        contents = self._contents()
        if contents == self._seen:
            return False
        self._roots, self._issuer = await asyncio.to_thread(self._read)
        self._seen = contents
        return True

    def _contents(self) -> tuple[bytes, ...]:
        named = (self._files.certificate, self._files.roots, self._files.chain)
        return tuple(content_of(file) for file in named if file is not None)

    def _read(self) -> tuple[tuple[x509.Certificate, ...], Issuer]:
        place = str(self._files.certificate)
        own = certificates_in(content_of(self._files.certificate), place)
        roots = certificates_in(content_of(self._files.roots), str(self._files.roots))
        if not own or not roots:
            raise UserError(f"there is no certificate in {place if not own else self._files.roots}")
        between = self._files.chain
        others = certificates_in(content_of(between), str(between)) if between is not None else ()
        public = own[0].public_key()
        key = key_in_token(self._session, public)
        _prove(key, place)
        return roots, issuer_of(key, own[0], (*own[1:], *others), roots, self._clock.now(), place)


def _prove(key: SigningKey, place: str) -> None:
    """Raises ``UserError`` unless the key in the token is that of the certificate."""
    public = key.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(key.sign(_PROBE, ec.ECDSA(hashes.SHA256())), _PROBE, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            signature = key.sign(_PROBE, padding.PKCS1v15(), hashes.SHA256())
            public.verify(signature, _PROBE, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as wrong:
        raise UserError(f"the certificate in {place} is not that of the key in the token") from wrong
    except SignerAway as away:
        raise UserError(str(away)) from away


def made_root(place: TokenPlace, pin: str, trust_domain: str, now: float) -> str:
    """A new key in the token and its self-signed certificate, as PEM. Raises ``UserError``."""
    key = _made(place, pin)
    return pem_of(root_certificate(key, trust_domain, now))


def made_request(place: TokenPlace, pin: str) -> str:
    """A new key in the token and a request for its certificate, as PEM. Raises ``UserError``."""
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(_made(place, pin), hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _made(place: TokenPlace, pin: str) -> TokenEcKey:
    public = TokenSession(place, pin).make_key()
    return TokenEcKey(TokenSession(place, pin), public)
