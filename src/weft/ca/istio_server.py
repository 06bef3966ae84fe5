"""Weft as a signer for others: Istio's ``CreateCertificate`` on the sidecars' port, for whoever shows a certificate.

The identity is that of the caller's certificate, whatever the request asks, as at ``/v1/renew``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from weft.ca.certificates import pem_of
from weft.ca.chains import certificates_in
from weft.ca.csr import BadRequest
from weft.ca.grounds import Grounds
from weft.ca.istio import MESSAGES, METHOD
from weft.ca.ledger import Ledger, digest_of
from weft.ca.names import CONTROL_PLANE_NAMESPACE
from weft.ca.signer import Leaf, Signer, SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import PeerError
from weft.kit.rates import Rates
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.identity import Identity

_PER_SECOND = 10.0
_BURST = 100

Identify = Callable[[Mapping[str, Sequence[bytes]]], Identity]


class CertificateHandler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method. ``identify`` reads a caller from gRPC's authentication context, and refuses who is revoked."""

    def __init__(
        self,
        signer: Signer,
        identify: Identify,
        ledger: Ledger,
        clock: Clock,
        auditor: Auditor = lambda _: None,
        grounds: Grounds | None = None,
    ) -> None:
        self._grounds = grounds
        self._signer = signer
        self._identify = identify
        self._ledger = ledger
        self._audit = auditor
        self._rates = Rates(clock, per_second=_PER_SECOND, burst=_BURST)
        self._handler = grpc.unary_unary_rpc_method_handler(self._answer)

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or ``None``."""
        return self._handler if handler_call_details.method == METHOD else None

    async def _answer(self, request: bytes, call: Any) -> bytes:
        try:
            leaf = await self._leaf(request, call.auth_context())
        except SignerAway:
            return await _refuse(call, grpc.StatusCode.UNAVAILABLE, "nothing can be signed now")
        except _TooOften:
            return await _refuse(call, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests from this caller")
        except BadRequest as wrong:
            return await _refuse(call, grpc.StatusCode.INVALID_ARGUMENT, str(wrong))
        except PeerError as unknown:
            return await _refuse(call, grpc.StatusCode.UNAUTHENTICATED, str(unknown))
        chain = [pem_of(one) for one in certificates_in(leaf.chain.encode("ascii"), "the answer")]
        # What is believed is the last element, all of it: who asks takes what lies before for the chain.
        answer = MESSAGES["IstioCertificateResponse"](cert_chain=[*chain, self._signer.bundle])
        return bytes(answer.SerializeToString())

    async def _leaf(self, request: bytes, auth: Mapping[str, Sequence[bytes]]) -> Leaf:
        identity = self._identify(auth)
        if identity.trust_domain != self._signer.trust_domain or identity.namespace == CONTROL_PLANE_NAMESPACE:
            raise PeerError("this needs a certificate of a workload of this mesh")
        if not self._rates.allows(identity.uri):
            raise _TooOften
        try:
            csr = MESSAGES["IstioCertificateRequest"].FromString(request).csr
        except DecodeError as malformed:
            raise BadRequest("this is no request for a certificate") from malformed
        shown = certificate_of(auth)
        before = self._ledger.line_of(shown)
        if before is not None and self._grounds is not None:
            await self._grounds.require(identity, before.ground)
        leaf = await self._signer.issue(csr.encode("ascii", "replace"), identity)
        await self._ledger.issued(
            digest_of(leaf.chain), leaf.expires, identity, before.name if before else identity.account, shown
        )
        self._audit(
            AuditEntry(verb="create", resource="certificates", who=identity.uri, outcome=Outcome.ALLOWED, code=200)
        )
        return leaf


def certificate_of(auth: Mapping[str, Sequence[bytes]]) -> str:
    """The SHA-256 of the certificate in gRPC's authentication context, "" without one."""
    found = list(auth.get("x509_pem_cert", ()))
    return digest_of(found[0].decode("ascii", "replace")) if found else ""


class _TooOften(PeerError):
    """Who asks too often is not heard."""


async def _refuse(call: Any, code: grpc.StatusCode, why: str) -> bytes:
    await call.abort(code, why)
    return b""
