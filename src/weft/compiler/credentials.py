"""Secrets that the control plane keeps: how resources name them, which of them a view needs, and their messages.

They come over the stream that all resources come over. Resources never hold their content.
"""

from collections.abc import Iterator

from weft._pb.envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from weft.compiler.names import stored_authorities, stored_certificate
from weft.compiler.resource import SECRET, Resource, SecretUse, resource
from weft.compiler.wire import milliseconds
from weft.kit.memo import memo
from weft.model.credential import Credential
from weft.model.gateway import ServerTls
from weft.model.traffic import ClientTls
from weft.view.view import Outbound, View

_PATIENCE = 2_000
"""Milliseconds after which Envoy goes on without a secret: a port then opens, and only its own clients fail."""


def stored_secret(name: str) -> SdsSecretConfig:
    """A secret of the control plane's."""
    return SdsSecretConfig(
        name=name,
        sds_config=ConfigSource(
            ads=AggregatedConfigSource(),
            initial_fetch_timeout=milliseconds(_PATIENCE),
            resource_api_version=ApiVersion.V3,
        ),
    )


def uses_of(view: View) -> tuple[SecretUse, ...]:
    """Every kept secret that the resources of a view name."""
    found = dict.fromkeys(_of_outbound(view.outbound))
    for port in view.gateway_ports:
        for chain in port.chains:
            found.update(dict.fromkeys(_of_server(chain.tls)))
    return tuple(found)


@memo(256)
def _of_outbound(outbound: Outbound) -> tuple[SecretUse, ...]:
    found = (use for upstream in outbound.upstreams for use in _of_client(upstream.tls))
    return tuple(dict.fromkeys(found))


def _of_client(tls: object) -> Iterator[SecretUse]:
    if not isinstance(tls, ClientTls):
        return
    if tls.credential is not None:
        yield _certificate(tls.credential)
    if tls.trust is not None and tls.verified:
        yield _authorities(tls.trust)


def _of_server(tls: ServerTls | None) -> Iterator[SecretUse]:
    if tls is None:
        return
    yield from map(_certificate, tls.credentials)
    if tls.clients.credential is not None:
        yield _authorities(tls.clients.credential)


def _certificate(credential: Credential) -> SecretUse:
    return SecretUse(name=stored_certificate(credential), credential=credential)


def _authorities(credential: Credential) -> SecretUse:
    return SecretUse(name=stored_authorities(credential), credential=credential, authorities=True)


def certificate_secret(name: str, chain: bytes, key: bytes, staple: bytes = b"") -> Resource:
    """A certificate with its key, both PEM, perhaps with what its issuer says of it (OCSP, DER)."""
    secret = Secret(name=name)
    secret.tls_certificate.certificate_chain.inline_bytes = chain
    secret.tls_certificate.private_key.inline_bytes = key
    if staple:
        secret.tls_certificate.ocsp_staple.inline_bytes = staple
    return _resource(secret)


def authorities_secret(name: str, authorities: bytes, revoked: bytes = b"") -> Resource:
    """Authorities, and certificates that they revoked; both PEM."""
    secret = Secret(name=name)
    secret.validation_context.trusted_ca.inline_bytes = authorities
    if revoked:
        secret.validation_context.crl.inline_bytes = revoked
    return _resource(secret)


def _resource(secret: Secret) -> Resource:
    return resource(SECRET, secret.name, secret.SerializeToString(deterministic=True))
