"""A signer that speaks Istio's protocol: ``istio.v1.auth.IstioCertificateService/CreateCertificate`` over gRPC.

Such a signer takes the names from the request, or gives a certificate to whom it is told to act for (the metadata
``ImpersonatedIdentity``, as node proxies use it). Both are sent; weft checks what comes back.
"""

import ssl
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509

from weft.ca.chains import certificates_in
from weft.ca.choice import Istio, secret_of
from weft.ca.ending import Ending
from weft.ca.issuer import begin_of, end_of
from weft.ca.plugged import content_of
from weft.ca.remote import Asked
from weft.ca.signer import SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.protobuf import messages

METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
MESSAGES = messages(
    "istio.v1.auth",
    {
        "IstioCertificateRequest": {
            "csr": (1, "string"),
            "validity_duration": (3, "int64"),
            "metadata": (4, "google.protobuf.Struct"),
        },
        "IstioCertificateResponse": {"cert_chain": (1, "repeated string")},
    },
)
_TIMEOUT = 5.0
_AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)


class IstioBackend:
    """Asks one signer; the certificate and the token that are shown are read again when their files change."""

    kind = "istio"
    names_in_request = True
    remedy = "where the signer puts no names of hosts into certificates, give weft's own ports one with controlPlane"

    def __init__(self, chosen: Istio, clock: Clock) -> None:
        self.owner = f"the signer at {chosen.address}"
        self._chosen = chosen
        self._clock = clock
        self._shown = self._material()
        self._channel = self._opened(self._shown)

    async def sign(self, asked: Asked) -> str:
        """The chain, the leaf first."""
        request = MESSAGES["IstioCertificateRequest"](
            csr=asked.request.decode("ascii"), validity_duration=int(asked.lifetime)
        )
        request.metadata.update({"ImpersonatedIdentity": asked.identity.uri})
        if self._chosen.cert_signer:
            request.metadata.update({"CertSigner": self._chosen.cert_signer})
        call = self._channel.unary_unary(
            METHOD,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES["IstioCertificateResponse"].FromString,
        )
        try:
            answer = await call(request, timeout=_TIMEOUT, metadata=self._metadata())
        except grpc.aio.AioRpcError as failed:
            raise self._refusal(failed) from None
        return "\n".join(answer.cert_chain)

    async def roots(self) -> tuple[x509.Certificate, ...]:
        """Those of the file."""
        found = certificates_in(content_of(Path(self._chosen.roots)), self._chosen.roots)
        if not found:
            raise UserError(f"there is no certificate in {self._chosen.roots}")
        return found

    async def look(self) -> None:
        """Show the newest certificate."""
        if (material := self._material()) != self._shown:
            channel, self._channel = self._channel, self._opened(material)
            self._shown = material
            await channel.close()

    def endings(self) -> tuple[Ending, ...]:
        """The certificate that is shown to the signer."""
        chain = self._shown[2]
        if chain is None:
            return ()
        own = certificates_in(chain, self._chosen.certificate)[0]
        expires = end_of(own)
        return (Ending(kind="client", name=self._chosen.certificate, expires=expires, life=expires - begin_of(own)),)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    def _material(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Whom to believe, and the key and certificate to show, as PEM."""
        chosen = self._chosen
        roots = content_of(Path(chosen.ca_file)) if chosen.ca_file else None
        if bool(chosen.certificate) != bool(chosen.key):
            raise UserError("certificate and key belong together", help="name both, or neither and a tokenFile")
        if not chosen.certificate:
            return roots, None, None
        chain = content_of(Path(chosen.certificate))
        if not certificates_in(chain, chosen.certificate):
            raise UserError(f"there is no certificate in {chosen.certificate}")
        return roots, content_of(Path(chosen.key)), chain

    def _opened(self, material: tuple[bytes | None, bytes | None, bytes | None]) -> Any:
        roots, key, chain = material
        credentials = grpc.ssl_channel_credentials(roots or _of_the_system(), key, chain)
        options = [("grpc.ssl_target_name_override", self._chosen.server_name)] if self._chosen.server_name else []
        return grpc.aio.secure_channel(self._chosen.address, credentials, options=options)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        chosen = self._chosen
        token = secret_of(chosen.token_file, "", "token for the signer") if chosen.token_file else ""
        shown = (("authorization", f"Bearer {token}"),) if token else ()
        return (*shown, ("clusterid", chosen.cluster_id)) if chosen.cluster_id else shown

    def _refusal(self, failed: Any) -> Exception:
        said = f"{self.owner} answered {failed.code().name}: {(failed.details() or 'nothing')[:300]}"
        if failed.code() in _AWAY:
            return SignerAway(said)
        if failed.code() is grpc.StatusCode.INVALID_ARGUMENT:
            return UserError(
                said, help="it may allow shorter certificates only: lower --leaf-ttl, or let it allow more"
            )
        return UserError(said, help="it must let weft ask for the identities of the whole trust domain")


def _of_the_system() -> bytes:
    """The authorities that this host trusts; gRPC brings others of its own."""
    file = ssl.get_default_verify_paths().cafile
    if file is None:
        raise UserError("this host has no authorities of its own", help="name the signer's with caFile")
    return content_of(Path(file))
