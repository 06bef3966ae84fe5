"""A signer somewhere else: asked over the network, and not believed blindly.

What comes back must be for the key that was asked for and for exactly the identity that the caller has, and must
descend from the roots that everybody believes. A signer that is away is asked again, ever later; what it signed before
stays good.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import key_pem_of, names_extension, pem_of
from weft.ca.chains import bundle_of, certificates_in, is_self_signed, path_to_root
from weft.ca.csr import PublicKey, key_of, uris_in
from weft.ca.ending import Ending
from weft.ca.issuer import begin_of, end_of, fingerprint_of, names_of
from weft.ca.keyed import endings_of
from weft.ca.names import control_plane
from weft.ca.outside import Outside
from weft.ca.own import OwnFiles
from weft.ca.signer import Leaf, Listener, NameMissing, SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.identity import Identity

_AT_ONCE = 16
_TIMEOUT = 8.0
_TRIES = 3
_FIRST_PAUSE = 0.2
_LONGEST_REST = 30.0
_ROOTS_EVERY = 60.0
_log = structlog.get_logger()
_Answer = TypeVar("_Answer")


class Asked(Value):
    """What is to be signed: a request in PEM, for an identity and, of the control plane itself, hosts; in seconds."""

    request: bytes
    identity: Identity
    lifetime: float
    hosts: tuple[str, ...] = ()


class Backend(Protocol):
    """Knows how one kind of signer is asked. All of it raises ``SignerAway`` and ``UserError``.

    ``UserError`` is for what does not become better by asking again.
    """

    kind: str
    owner: str
    names_in_request: bool
    """Whether it takes the identity from the request."""
    remedy: str
    """What to mend where it signs for somebody else than it was asked to."""

    async def sign(self, asked: Asked) -> str:
        """The certificate and what lies above it, as PEM."""
        ...

    async def roots(self) -> tuple[x509.Certificate, ...]:
        """Whom everybody is to believe now."""
        ...

    async def look(self) -> None:
        """Renew what is used to ask."""
        ...

    def endings(self) -> tuple[Ending, ...]:
        """What is used to ask, if it ends."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class Remote(Outside):
    """A ``Signer`` that asks a backend; ``begin`` before anything else."""

    def __init__(
        self, backend: Backend, trust_domain: str, clock: Clock, lifetime: float, own: OwnFiles | None = None
    ) -> None:
        """``own`` is what the control plane shows, where the backend is not asked for that."""
        self.kind = backend.kind
        self.owner = backend.owner
        self.trust_domain = trust_domain
        self.lifetime = lifetime
        self._backend = backend
        self._own = own
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._roots: tuple[x509.Certificate, ...] = ()
        self._roots_at = clock.monotonic()
        self._hosts: tuple[str, ...] = ()
        self._shown: tuple[Listener, float] | None = None
        self._rest, self._rests_until, self._reason = 0.0, 0.0, ""

    @property
    def bundle(self) -> str:
        """The roots that the backend named last."""
        return bundle_of(self._roots)

    async def begin(self, hosts: tuple[str, ...]) -> None:
        """Ask for the roots and for a certificate of the control plane; waits for a signer that is away.

        Raises ``UserError`` for one that refuses.
        """
        self._hosts, pause, said = hosts, 1.0, ""
        while True:
            try:
                self._roots = await self._bounded(self._backend.roots())
                await self._renew_listener()
            except SignerAway as away:
                if str(away) != said:
                    said = str(away)
                    _log.warning("the signer is away, trying on", signer=self.kind, reason=said)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_REST)

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """The newest certificate of the control plane, which ``look`` renews."""
        assert self._shown is not None
        return self._shown[0]

    def endings(self) -> tuple[Ending, ...]:
        """The roots, and what the backend is asked with."""
        return (*endings_of(self._roots), *self._backend.endings())

    async def close(self) -> None:
        """Hang up."""
        await self._backend.close()

    async def issue(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf. Raises ``BadRequest`` and ``SignerAway``."""
        key = key_of(request)
        if self._backend.names_in_request and uris_in(request) != [identity.uri]:
            raise NameMissing(identity.uri)
        try:
            return await self._signed(Asked(request=request, identity=identity, lifetime=self.lifetime), key)
        except UserError as refused:
            raise SignerAway(f"{refused.message}{f' ({refused.help})' if refused.help else ''}") from refused

    async def look(self) -> bool:
        """Renew what is used to ask, the roots and the certificate of the control plane."""
        await self._bounded(self._backend.look())
        changed = await self._look_at_roots()
        if self._own is not None:
            return self._read_own(self._own) or changed
        if self._shown is None or self._clock.now() >= self._shown[1]:
            await self._renew_listener()
            return True
        return changed

    def _read_own(self, own: OwnFiles) -> bool:
        if (listener := own.newer(self._roots, self._clock.now())) is None:
            return False
        self._shown = (listener, listener.expires)
        return True

    async def _look_at_roots(self) -> bool:
        if self._clock.monotonic() < self._roots_at + _ROOTS_EVERY:
            return False
        roots = await self._bounded(self._backend.roots())
        self._roots_at = self._clock.monotonic()
        if set(map(fingerprint_of, roots)) == set(map(fingerprint_of, self._roots)):
            return False
        self._roots = roots
        return True

    async def _renew_listener(self) -> None:
        if self._own is not None:
            self._read_own(self._own)
            return
        key = ec.generate_private_key(ec.SECP256R1())
        identity, hosts = control_plane(self.trust_domain), names_of(self._hosts)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if self._backend.names_in_request:  # else as workloads ask: what goes wrong then is seen at the start
            builder = builder.add_extension(names_extension(identity.uri, hosts), critical=True)
        request = builder.sign(key, hashes.SHA256())
        pem = request.public_bytes(serialization.Encoding.PEM)
        asked = Asked(request=pem, identity=identity, lifetime=self.lifetime, hosts=hosts)
        leaf = await self._signed(asked, key.public_key())
        listener = Listener(key=key_pem_of(key), chain=leaf.chain.encode("ascii"), expires=leaf.expires)
        now = self._clock.now()
        self._shown = (listener, now + (leaf.expires - now) / 2)

    async def _signed(self, asked: Asked, key: PublicKey) -> Leaf:
        """The answer, checked. A backend that failed is left alone for a while, longer each time."""
        if self._clock.monotonic() < self._rests_until:
            raise SignerAway(self._reason)
        try:
            async with self._turns:
                answer = await self._bounded(self._tried(asked))
        except SignerAway as away:
            self._reason = str(away)
            self._rest = min(max(2 * self._rest, _FIRST_PAUSE), _LONGEST_REST)
            self._rests_until = self._clock.monotonic() + self._rest
            raise
        self._rest = 0.0
        return self._checked(answer, asked, key)

    async def _tried(self, asked: Asked) -> str:
        pause = _FIRST_PAUSE
        for _ in range(_TRIES - 1):
            try:
                return await self._backend.sign(asked)
            except SignerAway:
                await asyncio.sleep(pause)
                pause *= 3
        return await self._backend.sign(asked)

    async def _bounded(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await work
        except TimeoutError as late:
            raise SignerAway(f"{self.owner} did not answer within {_TIMEOUT:g} s") from late

    def _checked(self, answer: str, asked: Asked, key: PublicKey) -> Leaf:
        """The leaf with what must be sent along, if it is what was asked for. Raises ``UserError``."""
        found = certificates_in(answer.encode("ascii", "replace"), f"the answer of {self.owner}")
        if not found:
            raise UserError(f"{self.owner} answered without a certificate")
        leaf, *others = found
        problem = fault_of(leaf, key, asked)
        if problem:
            raise UserError(f"{self.owner} signed something else: {problem}", help=self._backend.remedy)
        path = path_to_root(leaf, tuple(others), self._roots, self._clock.now())
        if path is None:
            raise UserError(
                f"what {self.owner} signed does not descend from the roots that are believed",
                help="the roots must be those of the signer: give them in a file",
            )
        chain = "".join(pem_of(one) for one in path if not is_self_signed(one))
        expires = min(map(end_of, path))
        if expires - begin_of(leaf) > asked.lifetime * 2 + 86400:
            _log.warning("the signer gives certificates for longer than was asked", signer=self.kind)
        return Leaf(chain=chain, expires=expires)


def fault_of(leaf: x509.Certificate, key: PublicKey, asked: Asked) -> str:
    """What is wrong with a certificate, "" if nothing is."""
    if leaf.public_key() != key:
        return "it is for another key"
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return f"it names nobody instead of {asked.identity.uri}"
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if uris != [asked.identity.uri]:
        return f"it names {', '.join(uris) or 'nobody'} instead of {asked.identity.uri}"
    hosts = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    if hosts != set(asked.hosts):
        return f"it is for the hosts {', '.join(sorted(hosts)) or 'none'} instead of {', '.join(asked.hosts) or 'none'}"
    try:
        if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return "it may sign others"
    except x509.ExtensionNotFound:
        pass
    return ""
