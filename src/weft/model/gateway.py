"""Gateways: which ports a proxy at the mesh's edge opens, for which hosts, and with what TLS.

Servers of several gateways meet on one proxy's port. ``merged`` says which of them it can serve together, for the view
that builds the proxy and for the findings that tell of the rest.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from weft.kit.memo import memo
from weft.kit.value import Labels, Value, includes
from weft.model.credential import Credential
from weft.model.document import Origin
from weft.model.service import Protocol


class ServerTlsMode(Enum):
    """Istio's ``ServerTLSSettings.TLSmode``."""

    PASSTHROUGH = "PASSTHROUGH"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    AUTO_PASSTHROUGH = "AUTO_PASSTHROUGH"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    OPTIONAL_MUTUAL = "OPTIONAL_MUTUAL"

    @property
    def terminates(self) -> bool:
        """Whether the gateway ends the client's TLS."""
        return self not in (ServerTlsMode.PASSTHROUGH, ServerTlsMode.AUTO_PASSTHROUGH)


class KeyPair(Value):
    """A certificate chain and its key, as paths of PEM files on the gateway's host."""

    certificate: str
    key: str


class ClientProof(Value):
    """What a client's certificate must be: issued under ``authorities`` (a path), not revoked in ``revocations``.

    ``credential`` stands for both of them where they are kept among the documents.
    ``names`` are exact subject alternative names of which it must have one; ``hashes`` (hex SHA-256) and ``spkis``
    (base64 SHA-256) name single certificates. ``skip_verify`` lets unverified certificates through.
    """

    authorities: str = ""
    revocations: str = ""
    credential: Credential | None = None
    names: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    spkis: tuple[str, ...] = ()
    skip_verify: bool = False


class ServerTls(Value):
    """TLS of a server, with certificates in files of the gateway's host or among the documents (``credentials``).

    ``minimum`` and ``maximum`` are the y of TLS 1.y, ``None`` the default.
    """

    mode: ServerTlsMode
    certificates: tuple[KeyPair, ...] = ()
    credentials: tuple[Credential, ...] = ()
    clients: ClientProof = ClientProof()
    minimum: int | None = None
    maximum: int | None = None
    ciphers: tuple[str, ...] = ()

    @property
    def fits_quic(self) -> bool:
        """Whether clients outside the mesh may come by QUIC, which is TLS 1.3."""
        outside = (ServerTlsMode.SIMPLE, ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL)
        return self.mode in outside and self.maximum in (None, 3)


class ServerHost(Value):
    """A host or wildcard that a server answers for, and the namespace whose rules may bind to it (``*``: any)."""

    host: str
    namespace: str = "*"


class Server(Value):
    """One port of a gateway. ``bind`` is an address, "" for the proxy's own; ``index`` its place in the document.

    With a ``section`` it is a listener of its own: rules name it apart from the gateway's others, and requests for its
    hosts are nobody else's on its port. ``default`` is an address and port of the proxy's own host, where everything
    goes that no rule takes.
    """

    port: int
    port_name: str
    protocol: Protocol
    hosts: tuple[ServerHost, ...]
    index: int = 0
    bind: str = ""
    tls: ServerTls | None = None
    https_redirect: bool = False
    section: str = ""
    default: tuple[str, int] | None = None

    @property
    def place(self) -> tuple[str, int, bool]:
        """Address and number of its port, and whether packets come to it: TCP and UDP have their own ports."""
        return (self.bind, self.port, self.protocol is Protocol.UDP)

    @property
    def family(self) -> str:
        """What a port can be only one of: requests in plaintext, TLS told apart by SNI, or bytes."""
        if self.tls is not None:
            return "TLS"
        return "HTTP" if self.protocol.is_http else "TCP"


class Gateway(Value):
    """Istio's ``Gateway``: ``selector`` picks proxies of any namespace by their labels, all of them when empty.

    ``proxies_of`` leaves those of one namespace. ``certificate`` is what they show services that want TLS; they are
    given the ``labels`` beside their own.
    """

    origin: Origin
    namespace: str
    name: str
    selector: Labels = ()
    servers: tuple[Server, ...] = ()
    proxies_of: str = ""
    certificate: Credential | None = None
    labels: Labels = ()

    @property
    def reference(self) -> str:
        """How rules name it."""
        return f"{self.namespace}/{self.name}"


class Placed(Value):
    """A server of a gateway."""

    gateway: Gateway
    server: Server

    @property
    def reference(self) -> str:
        """How rules name it: by its gateway, or by its section of that."""
        return f"{self.gateway.reference}/{self.server.section}" if self.server.section else self.gateway.reference


class Clash(Value):
    """A server that a port has no place for, or (``merged``) whose hosts another gateway has there too."""

    loser: Placed
    winner: Placed
    hosts: tuple[str, ...] = ()
    merged: bool = False


class Merged(Value):
    """The servers that one proxy serves, and what stood in the way of the others."""

    servers: tuple[Placed, ...] = ()
    clashes: tuple[Clash, ...] = ()


def covers_labels(gateways: Iterable[Gateway], labels: Labels, namespace: str = "") -> Iterator[Gateway]:
    """The gateways that select a proxy of a namespace, without one those that are for proxies of any."""
    mine = (gateway for gateway in gateways if gateway.proxies_of in ("", namespace))
    return (gateway for gateway in mine if includes(labels, gateway.selector))


def merged(gateways: Iterable[Gateway]) -> Merged:
    """Servers in order of precedence, as far as they go together (Istio: ``MergeGateways``).

    On one address and port: plaintext HTTP servers together; TLS servers together as long as their hosts differ, for a
    client names its host before anything else; of TCP servers only the first.
    """
    ports: dict[tuple[str, int, bool], _Port] = {}
    kept: list[Placed] = []
    clashes: list[Clash] = []
    for gateway in gateways:
        for server in gateway.servers:
            placed = Placed(gateway=gateway, server=server)
            port = ports.setdefault(server.place, _Port(placed))
            clash = port.take(placed)
            if clash is not None:
                clashes.append(clash)
            if clash is None or clash.merged:
                kept.append(placed)
    return Merged(servers=tuple(kept), clashes=tuple(clashes))


class _Port:
    """What is taken of one port."""

    def __init__(self, first: Placed) -> None:
        self._first = first
        self._hosts: dict[str, Placed] = {}

    def take(self, placed: Placed) -> Clash | None:
        """Give a server its place; what is in its way, if anything."""
        family = self._first.server.family
        if placed.server.family != family or (family == "TCP" and placed is not self._first):
            return Clash(loser=placed, winner=self._first)
        shared = [host for host in _hosts(placed.server) if self._other(host, placed) is not None]
        if shared:
            winner = self._hosts[shared[0]]
            return Clash(loser=placed, winner=winner, hosts=tuple(shared), merged=family == "HTTP")
        self._hosts |= dict.fromkeys(_hosts(placed.server), placed)
        return None

    def _other(self, host: str, placed: Placed) -> Placed | None:
        """Who has a host; one gateway's plaintext servers do not compete."""
        owner = self._hosts.get(host)
        if owner is None or (owner.gateway is placed.gateway and placed.server.family == "HTTP"):
            return None
        return owner


def _hosts(server: Server) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.host for one in server.hosts))


@memo(65536)
def bound_hosts(server: Server, hosts: tuple[str, ...], namespace: str) -> tuple[str, ...]:
    """The hosts of some rules of a namespace that a server answers for: of two that cover each other, the narrower.

    Source: Istio ``host.Names.Intersection`` over ``NamesForNamespace``.
    """
    book = _book(server, namespace)
    found: dict[str, None] = {}
    for host in hosts:
        if not host.startswith("*"):
            if host in book.exact or any(covers(mine, host) for mine in book.wildcards):
                found[host] = None
            continue
        found |= dict.fromkeys(mine for mine in (*book.exact, *book.wildcards) if covers(host, mine))
        if host not in found and any(covers(mine, host) for mine in book.wildcards):
            found[host] = None
    return tuple(found)


class _Book(NamedTuple):
    """A server's hosts, for looking up."""

    exact: dict[str, None]
    wildcards: tuple[str, ...]


@memo(4096)
def _book(server: Server, namespace: str) -> _Book:
    own = [one.host for one in server.hosts if one.namespace in ("*", namespace)]
    return _Book(
        exact=dict.fromkeys(host for host in own if not host.startswith("*")),
        wildcards=tuple(host for host in own if host.startswith("*")),
    )


def covers(pattern: str, host: str) -> bool:
    """Whether everything that a host or wildcard stands for is covered by a wildcard (or by its equal)."""
    if not pattern.startswith("*"):
        return pattern == host
    return host.removeprefix("*").endswith(pattern[1:])
