"""A signer that speaks Istio's protocol, of our own: its messages are declared here once more, apart from weft's.

As ``istiod`` it answers as istiod's own service was seen to (Istio's source of August 2026): it reads no name of the
request, signs for the one identity that it is told to act for, if that one runs beside the caller, and gives no longer
than it may.
"""

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

from tests.ca.chains import Maker
from weft.kit.clock import Clock

TOKEN = "the-token-of-weft"


def _messages() -> tuple[Any, Any]:
    """The file that Istio's agents are generated from, as a descriptor."""
    file = descriptor_pb2.FileDescriptorProto(name="ca.proto", package="istio.v1.auth", syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    request = file.message_type.add(name="IstioCertificateRequest")
    request.field.add(name="csr", number=1, type=9, label=1)
    request.field.add(name="validity_duration", number=3, type=3, label=1)
    request.field.add(name="metadata", number=4, type=11, label=1, type_name=".google.protobuf.Struct")
    file.message_type.add(name="IstioCertificateResponse").field.add(name="cert_chain", number=1, type=9, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = [pool.FindMessageTypeByName(f"istio.v1.auth.{name}") for name in (request.name, "IstioCertificateResponse")]
    return tuple(message_factory.GetMessageClass(one) for one in found)  # type: ignore[return-value]


REQUEST, RESPONSE = _messages()
METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


LONGEST = 48 * 3600
_REFUSED = "request impersonation authentication failure"


class FakeSigner(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Signs what a request names, for whoever shows the token or, where that is "", a certificate."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.root = Maker("signer root")
        self.middle = Maker("signer intermediate", self.root)
        self.token = TOKEN
        self.istiod = False
        self.beside: set[str] = set()
        self.fails: grpc.StatusCode | None = None
        self.seen: list[Any] = []
        self.callers: list[Any] = []

    def service(self, handler_call_details: Any) -> Any:
        """The one method."""
        return grpc.unary_unary_rpc_method_handler(self._create) if handler_call_details.method == METHOD else None

    async def _create(self, request: bytes, call: Any) -> bytes:
        asked = REQUEST.FromString(request)
        self.seen.append(asked)
        self.callers.append(call.auth_context())
        if self.fails is not None:
            await call.abort(self.fails, "not today")
        shown = dict(call.invocation_metadata()).get("authorization", "")
        if self.token and shown != f"Bearer {self.token}":
            await call.abort(grpc.StatusCode.UNAUTHENTICATED, "request authenticate failure")
        csr = x509.load_pem_x509_csr(asked.csr.encode())
        if self.istiod:
            names = await self._acted_for(asked, call)
        else:
            names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        chain = [self._leaf(csr.public_key(), names, asked.validity_duration), self.middle.pem, self.root.pem]
        return bytes(RESPONSE(cert_chain=chain).SerializeToString())

    async def _acted_for(self, asked: Any, call: Any) -> x509.SubjectAlternativeName:
        identity = asked.metadata["ImpersonatedIdentity"]
        if identity not in self.beside:
            await call.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSED)
        if asked.validity_duration > LONGEST:
            said = (
                f"CSR signing error (requested TTL {asked.validity_duration}s is greater than the max allowed TTL 48h)"
            )
            await call.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])

    def _leaf(self, key: Any, names: x509.SubjectAlternativeName, seconds: int) -> str:
        now = datetime.datetime.fromtimestamp(int(self.clock.now()), datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.middle.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=30))
            .not_valid_after(now + datetime.timedelta(seconds=seconds))
            .add_extension(names, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.middle.key.public_key()), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH]), critical=False)
        )
        return builder.sign(self.middle.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@asynccontextmanager
async def serving(handler: FakeSigner, key: bytes, chain: bytes, clients: bytes | None = None) -> AsyncIterator[str]:
    """The signer by TLS on loopback; with ``clients``, for those alone whose certificates descend from these roots."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    credentials = grpc.ssl_server_credentials([(key, chain)], clients, require_client_auth=clients is not None)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)
