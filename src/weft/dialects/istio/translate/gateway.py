"""A Gateway in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.issuers import Asked, orders_of
from weft.dialects.istio.checks.server_tls import known_cipher
from weft.dialects.istio.types import gateway as wire
from weft.dialects.istio.types.server_tls import ServerTlsSettings
from weft.dialects.protocols import protocol_of
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.credential import Credential
from weft.model.gateway import ClientProof, Gateway, KeyPair, Server, ServerHost, ServerTls, ServerTlsMode
from weft.model.service import Protocol

_VERSIONS = {"TLSV1_0": 0, "TLSV1_1": 1, "TLSV1_2": 2, "TLSV1_3": 3}
_MOST_CERTIFICATES = 2


def translate(spec: wire.Gateway, subject: Subject) -> Fragment:
    """A gateway with its servers."""
    gateway = Gateway(
        origin=subject.origin,
        namespace=subject.namespace,
        name=subject.key.name,
        selector=labels_of(spec.selector),
        servers=tuple(_server(index, server, subject) for index, server in enumerate(spec.servers)),
    )
    return Fragment(key=subject.key, gateways=(gateway,), orders=orders_of(subject, map(_asked, gateway.servers)))


def _asked(server: Server) -> Asked:
    """The one Secret that a server has its certificate from."""
    credentials = server.tls.credentials if server.tls is not None else ()
    return Asked(
        secret=credentials[0].name if len(credentials) == 1 else "",
        hosts=tuple(one.host for one in server.hosts),
        path=("spec", "servers", server.index, "tls"),
    )


def _server(index: int, server: wire.Server, subject: Subject) -> Server:
    port = server.port or wire.ServerPort()
    protocol = protocol_of(port.protocol or "") or Protocol.TCP
    return Server(
        port=port.number or 0,
        port_name=port.name or "",
        protocol=protocol,
        hosts=tuple(dict.fromkeys(_host(entry, subject.namespace) for entry in server.hosts)),
        index=index,
        bind=server.bind or "",
        tls=_tls(server.tls) if server.tls and not protocol.is_http else None,
        default=_default(server.default_endpoint),
        https_redirect=bool(server.tls and server.tls.https_redirect and protocol.is_http),
    )


def _default(endpoint: str | None) -> tuple[str, int] | None:
    if not endpoint:
        return None
    address, _, port = endpoint.rpartition(":")
    return (address.strip("[]"), int(port))


def _host(entry: str, own: str) -> ServerHost:
    namespace, slash, host = entry.partition("/")
    if not slash:
        return ServerHost(host=entry.lower())
    return ServerHost(host=host.lower(), namespace=own if namespace == "." else namespace)


def _tls(tls: ServerTlsSettings) -> ServerTls:
    mode = ServerTlsMode(tls.mode or "PASSTHROUGH")
    if mode is ServerTlsMode.ISTIO_MUTUAL:
        return ServerTls(mode=mode, clients=ClientProof(names=tls.subject_alt_names))
    if not mode.terminates:
        return ServerTls(mode=mode)
    return ServerTls(
        mode=mode,
        certificates=_certificates(tls),
        credentials=tuple(Credential(name=name) for name in _names(tls)),
        clients=ClientProof() if mode is ServerTlsMode.SIMPLE else _clients(tls),
        minimum=_VERSIONS.get(tls.min_protocol_version or ""),
        maximum=_VERSIONS.get(tls.max_protocol_version or ""),
        ciphers=tuple(dict.fromkeys(name for name in tls.cipher_suites if known_cipher(name))),
    )


def _names(tls: ServerTlsSettings) -> tuple[str, ...]:
    """The Secrets with certificates: Istio's one or, instead of it, several."""
    return tls.credential_names[:_MOST_CERTIFICATES] or ((tls.credential_name,) if tls.credential_name else ())


def _certificates(tls: ServerTlsSettings) -> tuple[KeyPair, ...]:
    if _names(tls):
        return ()
    pairs = [(one.server_certificate, one.private_key) for one in tls.tls_certificates[:_MOST_CERTIFICATES]]
    pairs = pairs or [(tls.server_certificate, tls.private_key)]
    return tuple(KeyPair(certificate=certificate or "", key=key or "") for certificate, key in pairs)


def _clients(tls: ServerTlsSettings) -> ClientProof:
    """Files, or else the Secret of authorities: one of its own, or that of the (first) certificate."""
    credential = None
    if not tls.ca_certificates:
        name = tls.ca_cert_credential_name or next(iter(_names(tls)), None)
        credential = Credential(name=name) if name else None
    return ClientProof(
        authorities=tls.ca_certificates or "",
        revocations=tls.ca_crl or "",
        credential=credential,
        names=tls.subject_alt_names,
        hashes=tls.verify_certificate_hash,
        spkis=tls.verify_certificate_spki,
        skip_verify=bool(tls.insecure_skip_verify),
    )
