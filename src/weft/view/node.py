"""A proxy as it introduced itself and as its certificate confirmed it."""

from ipaddress import ip_address

import msgspec

from weft.kit.errors import PeerError
from weft.kit.value import Labels, Value, labels_of
from weft.model.identity import Identity
from weft.model.istio import ISTIO_VERSION
from weft.model.service import Protocol

_LONGEST_WAY = 107
_LONGEST_INTRODUCTION = 65_536


class Inlet(Value):
    """A port of the application behind the sidecar.

    ``port`` is the workload port that policies name; peers connect to ``bind``:``bind_port``; the sidecar forwards to
    ``app``:``app_port``.
    """

    name: str
    port: int
    bind: str
    bind_port: int
    app_port: int
    app: str = "127.0.0.1"
    protocol: Protocol = Protocol.HTTP


class Outlet(Value):
    """A local port that stands for one upstream service's port (``--upstream orders:50051``)."""

    host: str
    port: int
    bind_port: int
    bind: str = "127.0.0.1"


class GatewayPlace(Value):
    """Where a gateway listens: on ``bind`` unless a server says otherwise, each port ``port_offset`` higher than named.

    Ports below ``lowest_port`` need a privilege that it has not. ``trusted_hops`` are proxies before it whose
    ``x-forwarded-for`` is believed, ``proxy_protocol``: they begin with a PROXY header. ``http3``: HTTPS
    ports are opened for QUIC too.
    """

    bind: str
    port_offset: int = 0
    lowest_port: int = 1
    trusted_hops: int = 0
    proxy_protocol: bool = False
    http3: bool = False


class Capture(Value):
    """Where connections arrive that rules of the host turn to the sidecar, with their original destination.

    What the application opens comes to the port ``outbound``, what others open to it to ``inbound``. ``addresses``
    are the workload's own; the listeners are there for the families among them (none: IPv4). ``mark`` is on
    the sidecar's connections to the application, by which the rules leave them alone (0: by their addresses).

    ``way`` is a Unix socket to which another network's connections come instead, with PROXY headers; what others open
    is then not turned, and both ports are 0.
    """

    outbound: int
    inbound: int
    addresses: tuple[str, ...] = ()
    mark: int = 0
    way: str = ""


class Introduction(Value):
    """What an agent says of its proxy; who it is, its certificate says.

    ``locality`` is region/zone/subzone; ``metadata`` is what else the agent was told to say of it.
    ``http_proxy`` is the local (address, port) that the application's ``HTTP_PROXY`` names, if any.
    With ``gateway`` it is no sidecar but a proxy at the mesh's edge, without an application.
    """

    namespace: str
    workload: str
    labels: Labels = ()
    locality: str = ""
    inlets: tuple[Inlet, ...] = ()
    outlets: tuple[Outlet, ...] = ()
    http_proxy: tuple[str, int] | None = None
    gateway: GatewayPlace | None = None
    capture: Capture | None = None
    metadata: Labels = ()


class Node(Introduction, kw_only=True):
    """A proxy of whom both are known: what its agent says of it, and who it is."""

    id: str
    identity: Identity

    @property
    def http10(self) -> bool:
        """Whether its proxy takes HTTP/1.0 too (Istio: the metadata ``HTTP10``)."""
        return ("HTTP10", "1") in self.metadata

    @property
    def told(self) -> Labels:
        """The metadata that documents of Istio ask for, in Istio's names; who it is, its certificate says."""
        own = {"NAMESPACE": self.namespace, "SERVICE_ACCOUNT": self.identity.account}
        usual = {"ISTIO_VERSION": ISTIO_VERSION, "WORKLOAD_NAME": self.workload, "MESH_ID": self.identity.trust_domain}
        return labels_of({**usual, **dict(self.metadata), **own})

    @property
    def is_entered(self) -> bool:
        """Whether what others open to the application is turned to it."""
        return self.capture is not None and self.capture.inbound > 0


def parse_node(identity: Identity, node_id: str, weft_json: str) -> Node:
    """A node from the metadata that its agent sent, checked against the certificate's identity.

    Raises ``PeerError`` when it is malformed, too long, of another namespace, or named otherwise than
    ``<workload>.<namespace>``.
    """
    said = _decoded(weft_json)
    if said.namespace != identity.namespace:
        raise PeerError(f"a sidecar of namespace {identity.namespace!r} says it is in {said.namespace[:100]!r}")
    if not said.workload or node_id != f"{said.workload}.{said.namespace}":
        raise PeerError(f"node id {node_id[:100]!r} is not {f'{said.workload}.{said.namespace}'[:200]!r}")
    for address, port in _sockets(said):
        _check_socket(address, port)
    if said.gateway is not None:
        _check_gateway(said.gateway)
    if said.capture is not None:
        _check_capture(said.capture)
    sorted_ = {"labels": labels_of(dict(said.labels)), "metadata": labels_of(dict(said.metadata))}
    return Node(id=node_id, identity=identity, **(msgspec.structs.asdict(said) | sorted_))


def _decoded(weft_json: str) -> Introduction:
    if len(weft_json) > _LONGEST_INTRODUCTION:
        raise PeerError(f"the node's metadata has {len(weft_json)} characters, more than {_LONGEST_INTRODUCTION}")
    try:
        return msgspec.json.decode(weft_json, type=Introduction)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
        raise PeerError(f"the node's metadata is malformed: {wrong}") from wrong


def _sockets(said: Introduction) -> list[tuple[str, int]]:
    found = [said.http_proxy] if said.http_proxy else []
    for inlet in said.inlets:
        found += [(inlet.bind, inlet.bind_port), (inlet.app, inlet.app_port), (inlet.app, inlet.port)]
    for outlet in said.outlets:
        found += [(outlet.bind, outlet.bind_port), (outlet.bind, outlet.port)]
    return found


def _check_gateway(place: GatewayPlace) -> None:
    _check_socket(place.bind, 1)
    numbers = (place.port_offset, place.lowest_port, place.trusted_hops)
    if not all(0 <= number < 65536 for number in numbers):
        raise PeerError(f"the node's metadata has numbers of a gateway that cannot be: {numbers}")


def _check_capture(capture: Capture) -> None:
    if capture.way:
        _check_way(capture)
        return
    for address in (*capture.addresses, "127.0.0.1"):
        _check_socket(address, capture.outbound)
        _check_socket(address, capture.inbound)
    if capture.outbound == capture.inbound:
        raise PeerError(f"the node's metadata has one port {capture.outbound} for both directions of its capture")
    if not 0 <= capture.mark < 2**32:
        raise PeerError(f"the node's metadata has a mark that cannot be: {capture.mark}")


def _check_way(capture: Capture) -> None:
    if not capture.way.startswith("/") or len(capture.way.encode()) > _LONGEST_WAY:
        raise PeerError(f"the node's metadata has a Unix socket that cannot be: {capture.way[:200]!r}")
    for address in capture.addresses:
        _check_socket(address, 1)
    if capture.outbound or capture.inbound:
        raise PeerError("the node's metadata has both a Unix socket and ports for its capture")


def _check_socket(address: str, port: int) -> None:
    try:
        ip_address(address)
    except ValueError as wrong:
        raise PeerError(f"the node's metadata has no IP address where one belongs: {address[:100]!r}") from wrong
    if not 0 < port < 65536:
        raise PeerError(f"the node's metadata has no port number where one belongs: {port}")
