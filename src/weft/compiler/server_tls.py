"""TLS between clients and a gateway: certificates from files on the gateway's host, which its agent watches."""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsParameters,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, DownstreamTlsContext
from weft.compiler.names import file_authorities, file_certificate
from weft.compiler.tls import agents_secret, alternative_name, downstream_tls
from weft.compiler.wire import packed
from weft.model.gateway import ClientProof, ServerTls, ServerTlsMode

_ALPN = ("h2", "http/1.1")
_VERSIONS = (TlsParameters.TLSv1_0, TlsParameters.TLSv1_1, TlsParameters.TLSv1_2, TlsParameters.TLSv1_3)
_FILE_TIMEOUT = 2_000
"""Milliseconds after which a port is opened without a certificate that is not there: only its own clients then fail."""


def server_tls(tls: ServerTls, trust_domain: str) -> TransportSocket:
    """The server's side of a chain that ends TLS."""
    if tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        return downstream_tls(trust_domain, http=True)
    context = DownstreamTlsContext(
        common_tls_context=_common(tls), require_client_certificate=BoolValue(value=tls.mode is ServerTlsMode.MUTUAL)
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def _common(tls: ServerTls) -> CommonTlsContext:
    common = CommonTlsContext(
        tls_params=_parameters(tls),
        alpn_protocols=_ALPN,
        tls_certificate_sds_secret_configs=[
            agents_secret(file_certificate(pair.certificate, pair.key), _FILE_TIMEOUT) for pair in tls.certificates
        ],
    )
    if tls.clients.authorities:
        combined = common.combined_validation_context
        combined.default_validation_context.CopyFrom(_expected(tls.clients))
        combined.validation_context_sds_secret_config.CopyFrom(
            agents_secret(file_authorities(tls.clients.authorities, tls.clients.revocations), _FILE_TIMEOUT)
        )
    return common


def _parameters(tls: ServerTls) -> TlsParameters:
    """TLS 1.2 and 1.3 unless the server says otherwise."""
    return TlsParameters(
        tls_minimum_protocol_version=_VERSIONS[2 if tls.minimum is None else tls.minimum],
        tls_maximum_protocol_version=_VERSIONS[3 if tls.maximum is None else tls.maximum],
        cipher_suites=tls.ciphers,
    )


def _expected(clients: ClientProof) -> CertificateValidationContext:
    context = CertificateValidationContext(
        match_typed_subject_alt_names=[alternative_name(name) for name in clients.names],
        verify_certificate_hash=clients.hashes,
        verify_certificate_spki=clients.spkis,
    )
    if clients.skip_verify:
        context.trust_chain_verification = CertificateValidationContext.ACCEPT_UNTRUSTED
    return context
