"""TLS between clients and a gateway, with certificates in files on its host, which its agent watches, or in Secrets."""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsParameters,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, DownstreamTlsContext
from weft.compiler.credentials import stored_secret
from weft.compiler.names import file_authorities, file_certificate, stored_authorities, stored_certificate
from weft.compiler.tls import agents_secret, alternative_name, downstream_tls
from weft.compiler.wire import packed
from weft.model.gateway import ClientProof, ServerTls, ServerTlsMode

_ALPN = ("h2", "http/1.1")
_VERSIONS = (TlsParameters.TLSv1_0, TlsParameters.TLSv1_1, TlsParameters.TLSv1_2, TlsParameters.TLSv1_3)
_FILE_TIMEOUT = 2_000
"""Milliseconds after which a port is opened without a certificate that is not there: only its own clients then fail."""


def server_tls(
    tls: ServerTls, trust_domain: str, *, http: bool = True, aliases: tuple[str, ...] = ()
) -> TransportSocket:
    """The server's side of a chain that ends TLS; where no requests are read (``http``), no protocol is agreed on."""
    if tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        return downstream_tls(trust_domain, http=http, aliases=aliases, names=tls.clients.names)
    context = DownstreamTlsContext(
        common_tls_context=_common(tls, http=http),
        require_client_certificate=BoolValue(value=tls.mode is ServerTlsMode.MUTUAL),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def quic_tls(tls: ServerTls) -> DownstreamTlsContext:
    """The server's side of QUIC: TLS 1.3 is a part of it."""
    common = _common(tls, http=True)
    common.ClearField("tls_params")
    del common.alpn_protocols[:]
    common.alpn_protocols.append("h3")
    return DownstreamTlsContext(
        common_tls_context=common, require_client_certificate=BoolValue(value=tls.mode is ServerTlsMode.MUTUAL)
    )


def _common(tls: ServerTls, *, http: bool) -> CommonTlsContext:
    common = CommonTlsContext(
        tls_params=_parameters(tls),
        alpn_protocols=_ALPN if http else (),
        tls_certificate_sds_secret_configs=[
            *(agents_secret(file_certificate(pair.certificate, pair.key), _FILE_TIMEOUT) for pair in tls.certificates),
            *(stored_secret(stored_certificate(credential)) for credential in tls.credentials),
        ],
    )
    trust = _trust(tls.clients)
    if trust is not None:
        combined = common.combined_validation_context
        combined.default_validation_context.CopyFrom(_expected(tls.clients))
        combined.validation_context_sds_secret_config.CopyFrom(trust)
    return common


def _trust(clients: ClientProof) -> SdsSecretConfig | None:
    if clients.credential is not None:
        return stored_secret(stored_authorities(clients.credential))
    if clients.authorities:
        return agents_secret(file_authorities(clients.authorities, clients.revocations), _FILE_TIMEOUT)
    return None


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
