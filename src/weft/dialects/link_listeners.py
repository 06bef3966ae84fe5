"""Listeners of gateways and of their listener sets: which can be served, and why others cannot.

Of listeners that exclude each other, a gateway's own are all refused, for none of them is the first; those of listener
sets lose to the gateway's and to older sets. Source: Gateway API ``Gateway.spec.listeners`` and ``ListenerSet``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from weft.dialects.link_certificates import Certificates, Terminated
from weft.dialects.parts import GROUP, Audience, GatewayPart, Listener, ListenerSetPart
from weft.dialects.verdicts import Verdict
from weft.kit.value import Labels, Value
from weft.model.gateway import ServerTls, ServerTlsMode
from weft.model.namespace import named
from weft.model.service import Protocol

_HTTP_KINDS = ((GROUP, "HTTPRoute"), (GROUP, "GRPCRoute"))
_TLS_KINDS = ((GROUP, "TLSRoute"),)
_TCP_KINDS = ((GROUP, "TCPRoute"),)


class Family(Value):
    """What listeners of a protocol are in the model, and the kinds of routes that fit them."""

    protocol: Protocol
    kinds: tuple[tuple[str, str], ...]
    secure: bool = False
    host_names: bool = True
    packets: bool = False


FAMILIES: Mapping[str, Family] = {
    "HTTP": Family(protocol=Protocol.HTTP, kinds=_HTTP_KINDS),
    "HTTPS": Family(protocol=Protocol.HTTPS, kinds=_HTTP_KINDS, secure=True),
    "TLS": Family(protocol=Protocol.TLS, kinds=(*_TLS_KINDS, *_TCP_KINDS), secure=True),
    "TCP": Family(protocol=Protocol.TCP, kinds=_TCP_KINDS, host_names=False),
    "UDP": Family(protocol=Protocol.UDP, kinds=((GROUP, "UDPRoute"),), host_names=False, packets=True),
}
"""The protocols that are served. A kind of routes that is added is a word here."""


class Site(Value):
    """A listener with its owner, the gateway's document or a set's, and what is wrong with it."""

    gateway: GatewayPart
    owner: GatewayPart | ListenerSetPart
    listener: Listener
    kinds: tuple[tuple[str, str], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    conflict: str = ""
    tls: ServerTls | None = None
    served: bool = True

    @property
    def section(self) -> str:
        """Its name, unique among all listeners of the gateway."""
        if isinstance(self.owner, GatewayPart):
            return self.listener.name
        return f"{self.owner.namespace}/{self.owner.name}/{self.listener.name}"

    @property
    def reference(self) -> str:
        """How route tables name it."""
        return f"{self.gateway.namespace}/{self.gateway.name}/{self.section}"


class Namespaces:
    """The labels of namespaces; one without a document has its name alone."""

    def __init__(self, labels: Mapping[str, Labels]) -> None:
        self._labels = labels

    def labels_of(self, names: Iterable[str]) -> tuple[tuple[str, Labels], ...]:
        """The labels of those namespaces that have documents."""
        return tuple((name, self._labels[name]) for name in names if name in self._labels)

    def admits(self, audience: Audience, own: str, namespace: str) -> bool:
        """Whether something of ``own`` that is open for an audience is so for a namespace."""
        match audience.who:
            case "All":
                return True
            case "Same":
                return own == namespace
            case "Selector":
                return audience.selector.selects(named(namespace, self._labels.get(namespace, ())))
        return False


def sites_of(gateway: GatewayPart, sets: Sequence[ListenerSetPart], certificates: Certificates) -> tuple[Site, ...]:
    """All listeners of a gateway; ``sets`` are those that it takes, in order of precedence."""
    found = [_site(gateway, gateway, one, certificates) for one in gateway.listeners]
    found = list(_without_conflicts(found))
    for owner in sets:
        for one in owner.listeners:
            site = _site(gateway, owner, one, certificates)
            conflict = next((_conflict(site, other) for other in found if _conflict(site, other)), "")
            found.append(_refused(site, conflict) if conflict else site)
    return tuple(found)


def _site(
    gateway: GatewayPart, owner: GatewayPart | ListenerSetPart, listener: Listener, certificates: Certificates
) -> Site:
    family = FAMILIES.get(listener.protocol)
    if family is None:
        verdict = Verdict(
            type="Accepted",
            reason="UnsupportedProtocol",
            message=f"the protocol {listener.protocol} is not served",
            code="W0276",
            path=(*listener.path, "protocol"),
            help=f"use {' or '.join(FAMILIES)}",
        )
        return Site(gateway=gateway, owner=owner, listener=listener, verdicts=(verdict,), served=False)
    fitting = _fitting(listener, family)
    kinds = tuple(kind for kind in listener.kinds or fitting if kind in fitting)
    made = _tls(gateway, owner, listener, certificates) if family.secure else Terminated(None)
    return Site(
        gateway=gateway,
        owner=owner,
        listener=listener,
        kinds=kinds,
        verdicts=(*_kind_verdicts(listener, family), *made.verdicts),
        tls=made.tls,
        served=made.tls is not None or not family.secure,
    )


def _fitting(listener: Listener, family: Family) -> tuple[tuple[str, str], ...]:
    """The kinds of routes for a listener: what is not ended here is told apart by names alone."""
    return _TLS_KINDS if listener.passes else family.kinds


def _tls(
    gateway: GatewayPart, owner: GatewayPart | ListenerSetPart, listener: Listener, certificates: Certificates
) -> Terminated:
    if listener.passes:
        return Terminated(ServerTls(mode=ServerTlsMode.PASSTHROUGH))
    return certificates.terminated(owner.ref, gateway, listener)


def _kind_verdicts(listener: Listener, family: Family) -> Iterator[Verdict]:
    for index, (group, kind) in enumerate(listener.kinds):
        kinds = _fitting(listener, family)
        if (group, kind) not in kinds:
            fitting = ", ".join(name for _, name in kinds)
            yield Verdict(
                type="ResolvedRefs",
                reason="InvalidRouteKinds",
                message=f"{kind} of {group or 'the core'} is no kind of routes for {listener.protocol}",
                code="W0277",
                path=(*listener.path, "allowedRoutes", "kinds", index),
                help=f"use {fitting}",
            )


def _without_conflicts(sites: list[Site]) -> Iterator[Site]:
    for site in sites:
        others = (one for one in sites if one is not site)
        conflict = next((found for one in others if (found := _conflict(site, one))), "")
        yield _refused(site, conflict) if conflict else site


def _conflict(site: Site, other: Site) -> str:
    """Why two listeners exclude each other, "" if they do not. One that is refused already is in nobody's way."""
    mine, theirs = site.listener, other.listener
    if mine.port != theirs.port or not _known(site) or not _known(other) or other.conflict:
        return ""
    if FAMILIES[mine.protocol].packets != FAMILIES[theirs.protocol].packets:
        return ""
    if FAMILIES[mine.protocol].secure != FAMILIES[theirs.protocol].secure or not _told_apart(mine, theirs):
        return "ProtocolConflict"
    return "HostnameConflict" if mine.hostname == theirs.hostname else ""


def _told_apart(mine: Listener, theirs: Listener) -> bool:
    """Whether a client says by a host name which of two listeners it means."""
    return FAMILIES[mine.protocol].host_names and FAMILIES[theirs.protocol].host_names


def _known(site: Site) -> bool:
    return site.listener.protocol in FAMILIES


def _refused(site: Site, reason: str) -> Site:
    listener = site.listener
    said = {
        "ProtocolConflict": f"another listener speaks another protocol on port {listener.port}",
        "HostnameConflict": f"another listener has {listener.hostname or 'all hosts'} on port {listener.port}",
    }
    verdict = Verdict(
        type="Accepted",
        reason=reason,
        message=said[reason],
        code="W0275",
        path=(*listener.path, "port" if reason == "ProtocolConflict" else "hostname"),
        help="give them different ports or host names",
    )
    return replace(site, verdicts=(*site.verdicts, verdict), conflict=reason, served=False)


def by_owner(sites: Iterable[Site]) -> dict[object, list[Site]]:
    """The listeners of each document."""
    found: dict[object, list[Site]] = {}
    for site in sites:
        found.setdefault(site.owner.key, []).append(site)
    return found
