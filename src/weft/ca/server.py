"""The routes by which agents get certificates: join once with a token, then renew with the certificate itself.

An answer to a bad token says the same whether it is unknown, used, expired or malformed. The request for a
certificate is checked before the token is taken, so that a mistake does not use the token up.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.ca.csr import LARGEST, BadRequest, key_of
from weft.ca.grounds import Ground, GroundGone, Grounds
from weft.ca.late import LateRenewals, NotAgain
from weft.ca.ledger import Ledger, digest_of
from weft.ca.names import CONTROL_PLANE_NAMESPACE
from weft.ca.peer import caller, shown
from weft.ca.proof import Attest, Proof, Unproved, process_of
from weft.ca.revocations import Revocations
from weft.ca.rotator import Rotator
from weft.ca.signer import Leaf, NameMissing, Signer, SignerAway
from weft.ca.tokens import JoinTokens
from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.kit.rates import Rates
from weft.kit.value import Value
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.identity import Identity
from weft.model.trust import Bundle

_LARGEST_BODY = 2 * LARGEST
_JOINS_PER_SECOND = 10.0
_JOIN_BURST = 100

_log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[Response]]
Trust = Callable[[str], tuple[Bundle, ...]]
"""The bundles of all trust domains, for the authority's own; none where that is all that is believed."""
Asked = TypeVar("Asked", bound=Value)


class _Join(Value):
    csr: str
    token: str = ""
    name: str = ""
    kubernetes: str = ""
    jwt: str = ""
    namespace: str = ""
    service_account: str = ""


class _Renew(Value):
    csr: str
    name: str = ""
    ended: str = ""


class _Held(Value):
    name: str
    authority: str
    expires: float = 0.0


class _Refused(WeftError):
    """Answered with a status and a body of the one shape."""

    def __init__(self, status: int, code: str, message: str, help: str, detail: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.status = status
        self.detail = detail or message
        self.content = {"error": {"code": code, "message": message, "help": help}}


def authority_routes(
    authority: Signer,
    tokens: JoinTokens,
    clock: Clock,
    *,
    xds_address: str,
    auditor: Auditor = lambda _: None,
    rotator: Rotator | None = None,
    ledger: Ledger | None = None,
    revocations: Revocations | None = None,
    late: LateRenewals | None = None,
    attest: Attest | None = None,
    trust: Trust = lambda own: (),
    grounds: Grounds | None = None,
) -> tuple[BaseRoute, ...]:
    """``POST /v1/join``, ``POST /v1/renew``, ``PUT /v1/authority`` and ``GET /v1/bundle``.

    ``xds_address`` is ``host:port`` for sidecars. ``auditor`` gets an entry for every certificate, and for everyone who
    was refused one; ``rotator`` is told who holds what, ``ledger`` what was signed for whom; accounts that
    ``revocations`` bars are refused. ``late`` knows who may renew with a certificate that has ended,
    ``attest`` judges proofs that are no join tokens, ``trust`` says whom to believe besides the authority, and
    ``grounds`` whether a workload that renews would be let in now.
    """
    rotator = rotator or Rotator(authority, clock, lambda: None)
    judges = (revocations, late, attest, trust, grounds)
    desk = _Desk(authority, tokens, clock, xds_address, auditor, rotator, ledger, *judges)
    return (
        Route("/v1/join", desk.guarded(desk.join), methods=["POST"]),
        Route("/v1/renew", desk.guarded(desk.renew), methods=["POST"]),
        Route("/v1/authority", desk.answering(desk.held), methods=["PUT"]),
        Route("/v1/bundle", desk.guarded(desk.bundle), methods=["GET"]),
    )


class _Desk:
    """What the routes share."""

    def __init__(
        self,
        authority: Signer,
        tokens: JoinTokens,
        clock: Clock,
        xds_address: str,
        auditor: Auditor,
        rotator: Rotator,
        ledger: Ledger | None,
        revocations: Revocations | None,
        late: LateRenewals | None,
        attest: Attest | None,
        trust: Trust,
        grounds: Grounds | None,
    ) -> None:
        self._grounds = grounds
        self._trust = trust
        self._attest = attest
        self._late = late
        self._ledger = ledger
        self._revocations = revocations
        self._audit = auditor
        self._rotator = rotator
        self._authority = authority
        self._tokens = tokens
        self._xds_address = xds_address
        self._rates = Rates(clock, per_second=_JOINS_PER_SECOND, burst=_JOIN_BURST)

    def guarded(self, handler: Handler) -> Handler:
        """The handler with the rate limit before it and refusals turned into answers."""

        async def limited(request: Request) -> Response:
            self._limit(request)
            return await handler(request)

        return self.answering(limited)

    def answering(self, handler: Handler) -> Handler:
        """The handler with refusals turned into answers."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except _Refused as refused:
                self._note_refusal(request, refused)
                return JSONResponse(refused.content, refused.status)
            except NameMissing as missing:
                error = {"code": "name_missing", "message": str(missing), "help": "name it as the only URI name"}
                return JSONResponse({"error": error, "identity": missing.uri}, 409)
            except WeftError:
                return JSONResponse(_UNAVAILABLE.content, _UNAVAILABLE.status, {"Retry-After": "1"})

        return answer

    async def join(self, request: Request) -> Response:
        """Take a token, or another proof, for a certificate."""
        asked = await _body(request, _Join)
        csr = _request_bytes(asked.csr)
        _check(csr)
        if not asked.token and self._attest is not None:
            proved, ground = await self._proved(request, asked, self._attest)
            return await self._joined(request, csr, proved, asked.name, ground)
        source = request.client.host if request.client else ""
        async with self._tokens.used(asked.token, source) as identity:
            if identity is None:
                problem = "this join token is unknown, used or too old"
                raise _Refused(401, "token_refused", problem, "create one: weft token create")
            return await self._joined(request, csr, identity, asked.name, Ground(kind="token"))

    async def _joined(self, request: Request, csr: bytes, identity: Identity, name: str, ground: Ground) -> Response:
        if self._grounds is not None:
            ground = await self._grounds.noted(identity, ground)
        return await self._certificate(request, csr, identity, name, ground=ground)

    async def _proved(self, request: Request, asked: _Join, attest: Attest) -> tuple[Identity, Ground]:
        proof = Proof(
            kubernetes=asked.kubernetes,
            jwt=asked.jwt,
            process=process_of(request.scope),
            namespace=asked.namespace,
            account=asked.service_account,
        )
        try:
            return await attest(proof)
        except Unproved as unproved:
            _log.info("a workload could not join", reason=unproved.why)
            help_ = "the control plane's audit log says why"
            raise _Refused(401, "unproved", str(unproved), help_, detail=unproved.why) from unproved

    async def renew(self, request: Request) -> Response:
        """A new certificate for the identity of the certificate that the caller showed."""
        identity, certificate = caller(request.scope), shown(request.scope)
        asked = await _body(request, _Renew)
        csr = _request_bytes(asked.csr)
        _check(csr)
        if certificate is None and asked.ended and self._late is not None:
            return await self._again(request, csr, asked, self._late)
        if identity is None or not self._renews(identity):
            raise _Refused(401, "certificate_required", "renewing needs a certificate of this mesh", "join again")
        return await self._renewed(request, csr, identity, asked.name, certificate.digest if certificate else "")

    async def _again(self, request: Request, csr: bytes, asked: _Renew, late: LateRenewals) -> Response:
        """A new certificate for one that has ended."""
        try:
            line, digest = late.line_of(asked.ended, csr)
        except NotAgain as refused:
            raise _Refused(401, "ended", str(refused), _JOIN_AGAIN) from refused
        if not self._renews(line.identity):
            raise _Refused(401, "ended", f"{line.uri} is not of this mesh any more", _JOIN_AGAIN)
        return await self._renewed(request, csr, line.identity, asked.name, digest)

    async def _renewed(self, request: Request, csr: bytes, identity: Identity, name: str, digest: str) -> Response:
        """A new certificate for who may still join."""
        line = self._ledger.line_of(digest) if self._ledger is not None else None
        if line is not None and self._grounds is not None:
            try:
                await self._grounds.require(identity, line.ground)
            except GroundGone as gone:
                problem = "what let this workload in does not hold any more"
                raise _Refused(403, "not_admitted", problem, _JOIN_AGAIN, detail=str(gone)) from gone
        return await self._certificate(request, csr, identity, name, digest)

    async def held(self, request: Request) -> Response:
        """Hear what a workload holds, and tell what it should hold."""
        identity = caller(request.scope)
        if identity is None or not self._renews(identity):
            raise _Refused(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        said = await _body(request, _Held)
        held = self._authority.tag if said.authority == self._tag else said.authority[:64]
        self._rotator.asked(identity, said.name[:253], held, said.expires)
        certificate = shown(request.scope)
        if self._ledger is not None and certificate is not None:
            await self._ledger.named(certificate.digest, certificate.expires, identity, said.name)
        return JSONResponse({"authority": self._tag, "again_seconds": self._rotator.ask_seconds})

    async def bundle(self, request: Request) -> Response:
        """What everybody trusts, and where proxies are served, for those who find it elsewhere; public."""
        told = {"bundle": self._authority.bundle, "trust_domain": self._authority.trust_domain}
        return JSONResponse(told | {"xds_address": self._xds_address})

    def _renews(self, identity: Identity) -> bool:
        own = identity.trust_domain == self._authority.trust_domain
        return own and identity.namespace != CONTROL_PLANE_NAMESPACE

    def _limit(self, request: Request) -> None:
        process = process_of(request.scope)
        address = request.client.host if request.client else f"uid {process.uid}" if process else ""
        if not self._rates.allows(self._workload(request) or address):
            raise _Refused(429, "too_many_requests", "too many requests from this caller", "wait a second")

    def _workload(self, request: Request) -> str:
        """Which workload shows a certificate, "" without one: those of one account have each a rate of its own."""
        known, certificate = caller(request.scope), shown(request.scope)
        line = self._ledger.line_of(certificate.digest) if self._ledger and certificate else None
        return line.id if line else known.uri if known else ""

    async def _certificate(
        self,
        request: Request,
        csr: bytes,
        identity: Identity,
        name: str,
        renewed: str = "",
        ground: Ground | None = None,
    ) -> Response:
        """A certificate, in the place of the one with the digest ``renewed`` if there is one."""
        try:
            leaf = await self._authority.issue(csr, identity)
        except NameMissing:
            raise
        except SignerAway as away:
            _log.warning("a certificate could not be signed", identity=identity.uri, reason=str(away))
            raise
        await self._write_down(leaf, identity, name, renewed, ground)
        self._audit(_entry(request, identity.uri, Outcome.ALLOWED, 200))
        return JSONResponse(self._issued(leaf, identity))

    async def _write_down(self, leaf: Leaf, identity: Identity, name: str, renewed: str, ground: Ground | None) -> None:
        """Before it is given away: whoever is revoked meanwhile does not get it."""
        if self._ledger is not None:
            await self._ledger.issued(digest_of(leaf.chain), leaf.expires, identity, name, renewed, ground)
        if self._revocations is not None and self._revocations.bars(identity, renewed):
            raise _Refused(403, "revoked", f"{identity} was revoked", "weft ca unrevoke takes it back")

    def _note_refusal(self, request: Request, refused: _Refused) -> None:
        """Those who are refused are few: whoever asks too often is not heard, and not written down."""
        if refused.status in (401, 403):
            known = caller(request.scope)
            who = known.uri if known else ""
            self._audit(_entry(request, who, Outcome.DENIED, refused.status, detail=refused.detail))

    def _issued(self, leaf: Leaf, identity: Identity) -> dict[str, object]:
        return {
            "chain": leaf.chain,
            "bundle": self._authority.bundle,
            "trust_domain": self._authority.trust_domain,
            "xds_address": self._xds_address,
            "namespace": identity.namespace,
            "service_account": identity.account,
            "expires": leaf.expires,
            "authority": self._tag,
            "bundles": [(one.trust_domain, one.pem) for one in self._trust(self._authority.bundle)],
        }

    @property
    def _tag(self) -> str:
        """Names what everybody is to believe, of other trust domains too, and who signs."""
        bundles = self._trust(self._authority.bundle)
        if not bundles:
            return self._authority.tag
        return hashlib.sha256(f"{self._authority.tag}{bundles}".encode()).hexdigest()[:16]


def _entry(request: Request, who: str, outcome: Outcome, code: int, detail: str = "") -> AuditEntry:
    return AuditEntry(
        verb=request.url.path.rpartition("/")[2],
        resource="certificates",
        who=who,
        outcome=outcome,
        code=code,
        source=request.client.host if request.client else "",
        detail=detail,
    )


_JOIN_AGAIN = "join again: weft token create > FILE, then give --token-file FILE"
_UNAVAILABLE = _Refused(503, "unavailable", "the control plane cannot answer now", "try again")


async def _body(request: Request, shape: type[Asked]) -> Asked:
    """The body, read no further than its cap."""
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST_BODY:
            raise _Refused(413, "too_large", f"the body is larger than {_LARGEST_BODY} bytes", "send less")
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _Refused(400, "bad_request", "the body is not the JSON that this route takes", _fields(shape)) from None


def _fields(shape: type[Value]) -> str:
    return f"send an object with {' and '.join(shape.__struct_fields__)}"


def _request_bytes(csr: str) -> bytes:
    return csr.encode("ascii", errors="replace")


def _check(csr: bytes) -> None:
    try:
        key_of(csr)
    except BadRequest as bad:
        raise _Refused(400, "bad_request", str(bad), "send a PKCS #10 request in PEM for a new P-256 key") from bad
