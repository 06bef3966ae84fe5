"""TLS: between sidecars mutual and 1.3 only, peers checked by SPIFFE ID; to other servers as destination rules say.

Certificates and trust come from the agent's SDS, those in files on its host too. Between sidecars, a client offers
Istio's words before the real protocol: a server that also takes plaintext tells mesh callers by them.
"""

from enum import Enum
from ipaddress import ip_address

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiConfigSource, ApiVersion, ConfigSource
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.config.core.v3.proxy_protocol_pb2 import ProxyProtocolConfig
from weft._pb.envoy.extensions.transport_sockets.proxy_protocol.v3.upstream_proxy_protocol_pb2 import (
    ProxyProtocolUpstreamTransport,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    SubjectAltNameMatcher,
    TlsParameters,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.credentials import stored_secret
from weft.compiler.names import (
    CERTIFICATE,
    SDS_CLUSTER,
    TRUST_BUNDLE,
    file_authorities,
    file_certificate,
    stored_authorities,
    stored_certificate,
)
from weft.compiler.wire import milliseconds, packed
from weft.model.traffic import ClientTls, ProxyProtocol
from weft.view.view import MeshTls

MESH_ALPN = ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2")
"""What Istio's and weft's sidecars offer; nobody else does."""


_FILES = 2_000
"""A file may be missing: then its cluster fails its requests, and the rest of the sidecar does not wait."""


class Spoken(Enum):
    """What is spoken inside TLS, by the names that a client offers."""

    HTTP1 = ("istio-http/1.1", "istio", "http/1.1")
    HTTP2 = ("istio-h2", "istio", "h2")
    BYTES = ("istio",)


def upstream_tls(tls: MeshTls, spoken: Spoken, trust_domain: str) -> TransportSocket:
    """A client's side: the peer must have one of the identities, or any of the mesh where none is known."""
    names = [StringMatcher(exact=uri) for uri in tls.identities] or [_anyone_of(trust_domain)]
    context = UpstreamTlsContext(common_tls_context=_common(spoken.value, names), sni=tls.sni)
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def downstream_tls(
    trust_domain: str, *, http: bool, aliases: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> TransportSocket:
    """A server's side: the caller must present a certificate of the mesh, for one of the ``names`` if there are any."""
    callers = [StringMatcher(exact=name) for name in names]
    callers = callers or [_anyone_of(name) for name in (trust_domain, *aliases)]
    context = DownstreamTlsContext(
        common_tls_context=_common(("h2", "http/1.1") if http else (), callers),
        require_client_certificate=BoolValue(value=True),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def origination_tls(tls: ClientTls, *, http2: bool) -> TransportSocket:
    """A client's side towards a server outside the mesh: files of the sidecar's host or Secrets, TLS 1.2 or 1.3."""
    common = CommonTlsContext(
        tls_params=TlsParameters(
            tls_minimum_protocol_version=TlsParameters.TLSv1_2, tls_maximum_protocol_version=TlsParameters.TLSv1_3
        ),
        alpn_protocols=("h2",) if http2 else (),
    )
    certificate = _own_certificate(tls)
    if certificate is not None:
        common.tls_certificate_sds_secret_configs.append(certificate)
    if tls.verified:
        names = [alternative_name(name) for name in tls.subject_alt_names]
        trust = common.combined_validation_context
        trust.default_validation_context.match_typed_subject_alt_names.extend(names)
        trust.validation_context_sds_secret_config.CopyFrom(_authorities(tls))
    return TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=packed(UpstreamTlsContext(common_tls_context=common, sni=tls.sni)),
    )


def _own_certificate(tls: ClientTls) -> SdsSecretConfig | None:
    if tls.credential is not None:
        return stored_secret(stored_certificate(tls.credential))
    return agents_secret(file_certificate(tls.certificate, tls.key), _FILES) if tls.certificate else None


def _authorities(tls: ClientTls) -> SdsSecretConfig:
    if tls.trust is not None:
        return stored_secret(stored_authorities(tls.trust))
    return agents_secret(file_authorities(tls.authorities, tls.revoked), _FILES)


def after_header(version: ProxyProtocol, socket: TransportSocket) -> TransportSocket:
    """Whatever is spoken, after a PROXY header about the caller."""
    header = ProxyProtocolConfig(version=version.value)
    wrapped = ProxyProtocolUpstreamTransport(config=header, transport_socket=socket)
    return TransportSocket(name="envoy.transport_sockets.upstream_proxy_protocol", typed_config=packed(wrapped))


def alternative_name(name: str) -> SubjectAltNameMatcher:
    if "://" in name:
        kind = SubjectAltNameMatcher.URI
    elif "@" in name:
        kind = SubjectAltNameMatcher.EMAIL
    else:
        kind = SubjectAltNameMatcher.IP_ADDRESS if _is_address(name) else SubjectAltNameMatcher.DNS
    return SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _anyone_of(trust_domain: str) -> StringMatcher:
    return StringMatcher(prefix=f"spiffe://{trust_domain}/")


def _common(alpn: tuple[str, ...], names: list[StringMatcher]) -> CommonTlsContext:
    return CommonTlsContext(
        tls_params=TlsParameters(
            tls_minimum_protocol_version=TlsParameters.TLSv1_3, tls_maximum_protocol_version=TlsParameters.TLSv1_3
        ),
        alpn_protocols=alpn,
        tls_certificate_sds_secret_configs=[agents_secret(CERTIFICATE)],
        combined_validation_context=CommonTlsContext.CombinedCertificateValidationContext(
            default_validation_context=CertificateValidationContext(
                match_typed_subject_alt_names=[
                    SubjectAltNameMatcher(san_type=SubjectAltNameMatcher.URI, matcher=name) for name in names
                ]
            ),
            validation_context_sds_secret_config=agents_secret(TRUST_BUNDLE),
        ),
    )


def agents_secret(name: str, patience: int = 0) -> SdsSecretConfig:
    """A secret of the agent's, over its Unix socket; Envoy waits for it, for ever or so many milliseconds."""
    source = ApiConfigSource(
        api_type=ApiConfigSource.GRPC,
        transport_api_version=ApiVersion.V3,
        grpc_services=[GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=SDS_CLUSTER))],
        set_node_on_first_message_only=True,
    )
    return SdsSecretConfig(
        name=name,
        sds_config=ConfigSource(
            api_config_source=source, initial_fetch_timeout=milliseconds(patience), resource_api_version=ApiVersion.V3
        ),
    )
