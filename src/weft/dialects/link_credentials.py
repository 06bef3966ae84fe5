"""Whether the Secrets that gateways and destination rules name are there and can be used."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from weft.model.credential import Credential, StoredCredential, places_of
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity
from weft.model.gateway import Gateway, Server
from weft.model.mesh import Mesh
from weft.model.traffic import ClientTls, DestinationPolicy, TrafficPolicy

_SOON = 14 * 86_400
_PART = 5
"""A certificate is said to end 14 days before, one that lives for less than 70 days in the last fifth of its life."""

_Credentials = Mapping[Key, StoredCredential]
_Policies = Mapping[tuple[str, str], tuple[DestinationPolicy, ...]]


class Credentials(NamedTuple):
    """What is kept, by document."""

    credentials: dict[Key, StoredCredential]
    findings: tuple[Finding, ...]


class _Named(NamedTuple):
    """A credential that a document names."""

    credential: Credential
    document: Key
    path: Path
    authorities: bool = False
    hosts: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        """Whose proxies are meant: those of the document's own namespace, as far as a document can tell."""
        return self.document.namespace


def linked_credentials(
    stored: Iterable[StoredCredential],
    gateways: Iterable[Gateway],
    policies: _Policies,
    used: Iterable[Credential] = (),
) -> Credentials:
    """What is kept under a name that is used, and warnings for what is not there or cannot be used.

    Of those that are ``used`` besides, authorities, others tell.
    """
    named = (*_of_gateways(gateways), *_of_policies(policies))
    names = {place.name for one in named for place in places_of(one.credential, "", authorities=one.authorities)}
    names |= {place.name for one in used for place in places_of(one, "", authorities=True)}
    credentials = {one.key: one for one in stored if one.key.name in names and _counts(one)}
    findings = [finding for one in named for finding in _check(one, credentials)]
    findings += [_withheld(one) for one in named if one.credential.gateways_only]
    return Credentials(credentials, tuple(dict.fromkeys(findings)))


def ending(mesh: Mesh, now: float) -> tuple[Finding, ...]:
    """Warnings for certificates in use that have ended, end soon or are not good yet; ``now`` is seconds."""
    found: dict[Finding, None] = {}
    for one in (*_of_gateways(mesh.gateways), *_of_policies(mesh.policies)):
        stored = _found(one, mesh.credentials)
        message = _time_of(stored, now) if stored is not None and not one.authorities else ""
        if message:
            said = f'the certificate in the secret "{one.credential.name}" {message}'
            found[_warning("W0282", said, one, _RENEW)] = None
    return tuple(found)


def next_change(mesh: Mesh, now: float) -> float | None:
    """When ``ending`` may say something else although nothing was written."""
    times: list[float] = []
    for stored in mesh.credentials.values():
        if stored.not_before is not None and stored.not_after is not None:
            times += [stored.not_before, stored.not_after - _soon(stored), stored.not_after]
    return min((time for time in times if time > now), default=None)


def _counts(stored: StoredCredential) -> bool:
    """A ConfigMap means something only where it has authorities."""
    return stored.key.kind == "Secret" or stored.authorities


_RENEW = "put a newer one into the secret; it is used at once"


def _time_of(stored: StoredCredential, now: float) -> str:
    if stored.not_before is None or stored.not_after is None:
        return ""
    if now >= stored.not_after:
        return "has expired"
    if now < stored.not_before:
        return "is not valid yet"
    return "expires soon" if now >= stored.not_after - _soon(stored) else ""


def _soon(stored: StoredCredential) -> int:
    """Seconds before its end."""
    return min(_SOON, ((stored.not_after or 0) - (stored.not_before or 0)) // _PART)


def _of_gateways(gateways: Iterable[Gateway]) -> Iterator[_Named]:
    for gateway in gateways:
        for server in gateway.servers:
            if server.tls is not None:
                yield from _of_server(gateway, server)
        if gateway.certificate is not None:
            path: Path = ("spec", "tls", "backend", "clientCertificateRef")
            yield _Named(gateway.certificate, gateway.origin.key, path)


def _of_server(gateway: Gateway, server: Server) -> Iterator[_Named]:
    """Where a certificate's own Secret has the authorities too, only that one is told to be missing."""
    assert server.tls is not None
    document, credentials = gateway.origin.key, server.tls.credentials
    if server.section:
        yield from _of_listener(gateway, server)
        return
    path: Path = ("spec", "servers", server.index, "tls")
    hosts = tuple(one.host for one in server.hosts)
    for index, one in enumerate(credentials):
        place: Path = ("credentialNames", index) if len(credentials) > 1 else ("credentialName",)
        yield _Named(one, document, (*path, *place), hosts=hosts if len(credentials) == 1 else ())
    trust = server.tls.clients.credential
    if trust is not None:
        own = any(one.name == trust.name for one in credentials)
        yield _Named(trust, document, (*path, "credentialName" if own else "caCertCredentialName"), authorities=True)


def _of_listener(gateway: Gateway, server: Server) -> Iterator[_Named]:
    """What a listener names is there: link has left out the rest and said so."""
    assert server.tls is not None
    document, credentials = gateway.origin.key, server.tls.credentials
    hosts = tuple(one.host for one in server.hosts) if len(credentials) == 1 else ()
    for index, one in enumerate(credentials):
        path: Path = ("spec", "listeners", server.index, "tls", "certificateRefs", index)
        yield _Named(one, document, path, hosts=hosts)
    if server.tls.clients.credential is not None:
        path = ("spec", "tls", "frontend")
        yield _Named(server.tls.clients.credential, document, path, authorities=True)


def _of_policies(policies: _Policies) -> Iterator[_Named]:
    for merged in policies.values():
        for policy in merged:
            for tls in _tls_of(policy):
                path: Path = ("spec", "trafficPolicy", "tls", "credentialName")
                if tls.credential is not None:
                    yield _Named(tls.credential, policy.origin.key, path)
                if tls.trust is not None and tls.verified:
                    yield _Named(tls.trust, policy.origin.key, path, authorities=True)


def _tls_of(policy: DestinationPolicy) -> Iterator[ClientTls]:
    found: list[TrafficPolicy] = [policy.policy, *(ports for _, ports in policy.ports)]
    for subset in policy.subsets:
        found += [subset.policy, *(ports for _, ports in subset.ports)]
    return (one.tls for one in found if isinstance(one.tls, ClientTls))


def _found(named: _Named, credentials: _Credentials) -> StoredCredential | None:
    places = places_of(named.credential, named.namespace, authorities=named.authorities)
    return next((credentials[place] for place in places if place in credentials), None)


def _check(named: _Named, credentials: _Credentials) -> Iterator[Finding]:
    name, stored = named.credential.name, _found(named, credentials)
    if stored is None:
        elsewhere = sorted(key.namespace for key in credentials if key.name == name)
        if elsewhere and not named.credential.namespace:
            return  # a proxy of that namespace may be meant; the view of one that is not says so
        space = named.credential.namespace or named.namespace
        message = f'there is no secret "{name}" in the namespace {space}; who needs it is refused until it is there'
        yield _warning("W0280", message, named, f"kubectl create secret tls {name} -n {space} --cert … --key …")
        return
    fault = stored.authorities_fault if named.authorities else stored.certificate_fault
    if fault:
        what = "has no authorities that can be used" if named.authorities else "cannot be used"
        yield _warning("W0281", f'the secret "{stored.key.name}" {what}: {fault}', named, "mend the secret")
    elif uncovered := [host for host in named.hosts if not _covered(host, stored.names)]:
        message = f'the certificate in the secret "{name}" is not for {", ".join(uncovered[:3])}'
        yield _warning("W0283", message, named, f"it is for {', '.join(stored.names[:5]) or 'no name at all'}")


def _withheld(named: _Named) -> Finding:
    """Istio's rule, and no mistake where an egress gateway is meant. Istio's sidecars call in plaintext then."""
    return Finding(
        code="W0284",
        message="without workloadSelector only gateways are given the secret; calls of sidecars to the host fail",
        severity=Severity.NOTE,
        document=named.document,
        path=named.path,
        help="add workloadSelector if sidecars themselves call the host",
    )


def _covered(host: str, names: tuple[str, ...]) -> bool:
    """Whether a certificate is good for a host (RFC 6125: a wildcard stands for one label)."""
    if host == "*" or host in names:
        return True
    first, dot, rest = host.partition(".")
    return bool(dot) and first != "*" and f"*.{rest}" in names


def _warning(code: str, message: str, named: _Named, advice: str) -> Finding:
    return Finding(
        code=code, message=message, severity=Severity.WARNING, document=named.document, path=named.path, help=advice
    )
