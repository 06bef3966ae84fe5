"""One SDS stream as a state machine without I/O (xDS state of the world; Envoy's secret discovery service)."""

import hashlib
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.agent.credentials import Credentials
from weft.agent.file_secrets import is_of_files, secret_of_files
from weft.agent.say import say
from weft.kit.errors import PeerError

CERTIFICATE = "default"
ROOTS = "ROOTCA"
TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


class SecretStream:
    """What one stream asked for and was sent. Methods return the messages to send."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._sent: tuple[tuple[str, ...], str] | None = None
        self._nonce = 0

    def receive(self, message: bytes, credentials: Credentials | None) -> bytes | None:
        """Take a request. Raises ``PeerError`` for what is none."""
        try:
            request = DiscoveryRequest.FromString(message)
        except DecodeError as malformed:
            raise PeerError("not a discovery request") from malformed
        if request.type_url not in ("", TYPE):
            raise PeerError("a stream of secrets was asked for another type")
        if request.response_nonce and request.response_nonce != str(self._nonce):
            return None
        if request.HasField("error_detail"):
            say(f"envoy refused a certificate: {request.error_detail.message[:300]}")
        self._names = tuple(sorted(set(request.resource_names)))
        return self.offer(credentials)

    def offer(self, credentials: Credentials | None) -> bytes | None:
        """The answer to what is asked, if it is new."""
        if credentials is None:
            return None
        made = {name: _secret(name, credentials) for name in self._names}
        names = tuple(name for name, secret in made.items() if secret is not None)
        secrets = [secret for secret in made.values() if secret is not None]
        if not secrets:
            return None
        version = _version(secrets)
        if self._sent == (names, version):
            return None
        self._sent = (names, version)
        self._nonce += 1
        response = DiscoveryResponse(version_info=version, type_url=TYPE, nonce=str(self._nonce))
        for secret in secrets:
            response.resources.add(type_url=TYPE, value=secret)
        return response.SerializeToString()


def _version(secrets: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for secret in secrets:
        digest.update(secret)
    return digest.hexdigest()[:16]


def _secret(name: str, credentials: Credentials) -> bytes | None:
    """A secret; ``None`` for a name that means nothing here, and for files that cannot be read."""
    secret = secret_of_files(name) if is_of_files(name) else _own(name, credentials)
    return None if secret is None else secret.SerializeToString(deterministic=True)


def _own(name: str, credentials: Credentials) -> Secret | None:
    secret = Secret(name=name)
    if name == CERTIFICATE:
        secret.tls_certificate.certificate_chain.inline_string = credentials.issued.chain
        secret.tls_certificate.private_key.inline_string = credentials.key
    elif name == ROOTS:
        if credentials.issued.bundles:
            secret.validation_context.custom_validator_config.CopyFrom(_by_domain(credentials.issued.bundles))
        else:
            secret.validation_context.trusted_ca.inline_string = credentials.issued.bundle
    else:
        return None
    return secret


def _by_domain(bundles: tuple[tuple[str, str], ...]) -> TypedExtensionConfig:
    """Whoever names a trust domain must descend from its own bundle (Envoy: ``SPIFFECertValidatorConfig``)."""
    from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_spiffe_validator_config_pb2 import (
        SPIFFECertValidatorConfig,
    )

    config = SPIFFECertValidatorConfig()
    for name, pem in bundles:
        config.trust_domains.add(name=name).trust_bundle.inline_string = pem
    found = TypedExtensionConfig(name="envoy.tls.cert_validator.spiffe")
    found.typed_config.Pack(config)
    return found
