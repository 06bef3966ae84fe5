"""Whether the certificates that listeners, gateways and policies name may and can be used, as the model's credentials.

Source: Gateway API ``certificateRefs``, ``FrontendTLSValidation``, ``GatewayBackendTLS``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from weft.dialects.link_grants import Grants
from weft.dialects.parts import CONFIG_MAP, SECRET, ClientCheck, GatewayPart, Listener, Ref
from weft.dialects.verdicts import Verdict
from weft.model.credential import Credential, StoredCredential
from weft.model.document import Key
from weft.model.finding import Path
from weft.model.gateway import ClientProof, ServerTls, ServerTlsMode

EVERYBODY = "*"


class Terminated(NamedTuple):
    """The TLS of a listener, ``None`` if it cannot be served, and what is wrong with it."""

    tls: ServerTls | None
    verdicts: tuple[Verdict, ...] = ()


class Certificates:
    """What is kept, for asking; ``stored`` is by document."""

    def __init__(self, stored: Mapping[Key, StoredCredential], grants: Grants) -> None:
        self._stored = stored
        self._grants = grants

    def terminated(self, owner: Ref, gateway: GatewayPart, listener: Listener) -> Terminated:
        """The TLS of a listener that ends it: one good certificate is enough, and one good set of authorities."""
        pairs = list(self._pairs(owner, gateway.namespace, listener))
        credentials = tuple(one for one in pairs if isinstance(one, Credential))
        verdicts = [one for one in pairs if isinstance(one, Verdict)]
        check = clients_of(gateway, listener)
        if check is None:
            tls = ServerTls(mode=ServerTlsMode.SIMPLE, credentials=credentials)
            return Terminated(tls if credentials else None, tuple(verdicts))
        trust, wrong = self._trust(gateway, check)
        verdicts += wrong
        if trust is None or not credentials:
            return Terminated(None, tuple(verdicts))
        clients = ClientProof(credential=trust, skip_verify=check.optional)
        mode = ServerTlsMode.OPTIONAL_MUTUAL if check.optional else ServerTlsMode.MUTUAL
        return Terminated(ServerTls(mode=mode, credentials=credentials, clients=clients), tuple(verdicts))

    def shown(self, gateway: GatewayPart) -> Credential | Verdict | None:
        """The certificate that a gateway shows services, if it has one."""
        if gateway.certificate is None:
            return None
        path: Path = ("spec", "tls", "backend", "clientCertificateRef")
        return self.pair(gateway.ref, gateway.certificate, gateway.namespace, path, "InvalidClientCertificateRef")

    def _pairs(self, owner: Ref, proxies: str, listener: Listener) -> Iterator[Credential | Verdict]:
        if not listener.certificates:
            message = "the listener has no certificate"
            yield _wrong("InvalidCertificateRef", message, "W0278", listener.path, "add tls.certificateRefs")
        for index, ref in enumerate(listener.certificates):
            path = (*listener.path, "tls", "certificateRefs", index)
            yield self.pair(owner, ref, proxies, path, "InvalidCertificateRef")

    def pair(self, owner: Ref, ref: Ref, proxies: str, path: Path, reason: str) -> Credential | Verdict:
        """A certificate with its key, for the proxies of a namespace."""
        if (ref.group, ref.kind) != SECRET:
            message = f"{ref.kind} of {ref.group or 'the core'} is no kind of certificates"
            return _wrong(reason, message, "W0278", path, "name a Secret of the type kubernetes.io/tls")
        if not self._grants.allow(owner, ref):
            return _not_permitted(owner, ref, path)
        stored = self._stored.get(Key(kind=ref.kind, namespace=ref.namespace, name=ref.name))
        if stored is None:
            advice = f"kubectl create secret tls {ref.name} -n {ref.namespace} --cert … --key …"
            return _wrong(reason, f"there is no {ref}", "W0280", path, advice)
        if not stored.certificate:
            fault = stored.certificate_fault or "it has no certificate"
            return _wrong(reason, f"{ref} cannot be used: {fault}", "W0281", path, "mend the secret")
        return _credential(ref, (proxies,) if proxies != ref.namespace else ())

    def authorities(self, owner: Ref, ref: Ref, path: Path, granted: tuple[str, ...]) -> Credential | Verdict:
        """Authorities, for the proxies of other namespaces that are ``granted`` them."""
        if (ref.group, ref.kind) not in (SECRET, CONFIG_MAP):
            message = f"{ref.kind} of {ref.group or 'the core'} is no kind of authorities"
            return _wrong("InvalidCACertificateKind", message, "W0278", path, "name a ConfigMap or a Secret")
        if not self._grants.allow(owner, ref):
            return _not_permitted(owner, ref, path)
        stored = self._stored.get(Key(kind=ref.kind, namespace=ref.namespace, name=ref.name))
        if stored is None or not stored.authorities:
            fault = (stored.authorities_fault if stored else "") or "it has no ca.crt"
            message = f"there is no {ref}" if stored is None else f"{ref} cannot be used: {fault}"
            return _wrong("InvalidCACertificateRef", message, "W0281", path, "put the authorities into ca.crt as PEM")
        return _credential(ref, granted)

    def _trust(self, gateway: GatewayPart, check: ClientCheck) -> tuple[Credential | None, list[Verdict]]:
        granted = (gateway.namespace,)
        found = [
            self.authorities(gateway.ref, ref, (*check.path, "caCertificateRefs", index), granted)
            for index, ref in enumerate(check.authorities)
        ]
        return chosen(found, "none of the authorities for clients can be used", check.path)


def chosen(found: Sequence[Credential | Verdict], nothing: str, path: Path) -> tuple[Credential | None, list[Verdict]]:
    """The first authorities that can be used; a proxy takes one set of them."""
    good = [one for one in found if isinstance(one, Credential)]
    verdicts = [one for one in found if isinstance(one, Verdict)]
    if good:
        return good[0], verdicts
    lost = Verdict(type="Accepted", reason="NoValidCACertificate", message=nothing, code="W0281", path=path)
    return None, [*verdicts, lost]


def clients_of(gateway: GatewayPart, listener: Listener) -> ClientCheck | None:
    """What clients of a listener must prove: what its port says, else what holds for all."""
    ports = dict(gateway.port_clients)
    return ports.get(listener.port, gateway.clients)


def _credential(ref: Ref, granted: tuple[str, ...]) -> Credential:
    return Credential(
        name=ref.name,
        namespace=ref.namespace,
        granted=granted,
        config_map=(ref.group, ref.kind) == CONFIG_MAP,
    )


def _not_permitted(owner: Ref, ref: Ref, path: Path) -> Verdict:
    advice = f"create a ReferenceGrant in {ref.namespace} from {owner.kind} of {owner.namespace} to {ref.kind}"
    return _wrong("RefNotPermitted", f"{ref} may not be used from {owner.namespace}", "W0274", path, advice)


def _wrong(reason: str, message: str, code: str, path: Path, advice: str) -> Verdict:
    return Verdict(type="ResolvedRefs", reason=reason, message=message, code=code, path=path, help=advice)
