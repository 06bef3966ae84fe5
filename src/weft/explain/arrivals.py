"""Where a call arrives: the workloads and gateways that answer to a name, and what their ports take."""

from collections.abc import Iterator

from weft.kit.errors import UserError
from weft.kit.value import Value, first, includes, value_at
from weft.model.gateway import Server, ServerTlsMode, covers, covers_labels, merged
from weft.model.gateway_connections import reads_requests
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.service import Port, Service
from weft.model.workload import TLS_MODE_LABEL, Workload
from weft.view.gateway import gateways_for
from weft.view.gateway_labels import labelled
from weft.view.index import index_of
from weft.view.node import GatewayPlace, Node

_REGISTERED = ("app.kubernetes.io/managed-by", "weft")
_ASKING = (ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL, ServerTlsMode.ISTIO_MUTUAL)


class Arrival(Value):
    """A workload's port; ``numbers`` are those that policies know it by. ``edge`` is a gateway's; callers there can
    prove who they are if it ``asks`` them for a certificate, and must if it ``demands`` one."""

    workload: Workload
    numbers: tuple[int, ...]
    bytes_only: bool = False
    edge: bool = False
    asks: bool = True
    demands: bool = False

    @property
    def port(self) -> int:
        """The number that policies name."""
        return self.numbers[0]


def arrivals(mesh: Mesh, callee: str, namespace: str, server_name: str = "") -> Iterator[Arrival]:
    """Of every workload that would answer for a service or itself; ``callee`` may have ``:port``. At a port of TLS of a
    gateway the server that has the name takes the call. Raises ``UserError`` where a gateway does not open a port."""
    name, port = parted(callee)
    for workload, numbers, bytes_only in _answering(mesh, name, port, namespace):
        if is_gateway(mesh, workload):
            yield _at_edge(mesh, workload, (port, *numbers), server_name)
        else:
            yield Arrival(workload=workload, numbers=numbers, bytes_only=bytes_only)


def workload_of(mesh: Mesh, name: str, namespace: str) -> Workload | None:
    """The first workload that has a name, answers for a service of this name, or runs as one that nobody calls."""
    found = first(workload for workload, _, _ in _answering(mesh, name, None, namespace))
    if found is not None:
        return found
    own, namespace = _named(name, namespace)
    return first(one for one in mesh.workloads if one.namespace == namespace and ("app", own) in one.labels)


def told_arrivals(mesh: Mesh, callee: str, *, bytes_only: bool) -> Iterator[Arrival]:
    """Of a call that a proxy told of: ``callee`` is the proxy and the port in its words."""
    name, port = parted(callee)
    for workload in mesh.workloads:
        if f"{workload.name}.{workload.namespace}" == name:
            yield Arrival(
                workload=workload, numbers=(port or 0,), bytes_only=bytes_only, edge=is_gateway(mesh, workload)
            )


def parted(callee: str) -> tuple[str, int | None]:
    """A name and its port, ``None`` without one."""
    name, colon, port = callee.rpartition(":")
    return (name, int(port)) if colon and port.isdecimal() else (callee, None)


def is_gateway(mesh: Mesh, workload: Workload) -> bool:
    """Whether a workload is a proxy at the edge: it registered without the mesh's TLS, and a Gateway is for it."""
    if value_at(workload.labels, TLS_MODE_LABEL) != "disabled":
        return False
    mine = covers_labels(gateways_for(mesh, workload.namespace), workload.labels, workload.namespace)
    return first(mine) is not None


def gateways_of(mesh: Mesh) -> frozenset[str]:
    """The gateways of a mesh, ``<name>.<namespace>``."""
    return frozenset(f"{one.name}.{one.namespace}" for one in mesh.workloads if is_gateway(mesh, one))


def node_of(mesh: Mesh, workload: Workload) -> Node:
    """A workload's proxy, as far as documents tell."""
    domain = mesh.settings.trust_domain
    node = Node(
        id=f"{workload.name}.{workload.namespace}",
        namespace=workload.namespace,
        workload=workload.name,
        identity=Identity(trust_domain=domain, namespace=workload.namespace, account=workload.account or "default"),
        labels=workload.labels,
        gateway=GatewayPlace(bind=workload.address) if is_gateway(mesh, workload) else None,
    )
    return labelled(mesh, node)


def _answering(
    mesh: Mesh, name: str, port: int | None, namespace: str
) -> Iterator[tuple[Workload, tuple[int, ...], bool]]:
    """Workloads by their service or by their own name, the number of the port at each, and whether that is bytes."""
    own, namespace = _named(name, namespace)
    services = [one for one in mesh.services.values() if _is(one, name, own, namespace)]
    for service in services:
        chosen = first(one for one in service.ports if port in (None, one.number))
        if chosen is not None:
            for workload in index_of(mesh).supply_of(service).workloads:
                yield workload, _numbers(chosen, workload), not chosen.protocol.is_http
    if services:
        return
    for workload in mesh.workloads:
        if workload.name in (own, name) and workload.namespace == namespace:
            yield (workload, *_port_of(mesh, workload, port))


def _at_edge(mesh: Mesh, workload: Workload, ports: tuple[int | None, ...], server_name: str) -> Arrival:
    chosen = covers_labels(gateways_for(mesh, workload.namespace), workload.labels, workload.namespace)
    servers = [one.server for one in merged(chosen).servers]
    if not servers:
        raise UserError(f"the gateway {workload.name}.{workload.namespace} opens no port", help="see `weft analyze`")
    opened = {one.port for one in servers}
    port = servers[0].port if ports[0] is None else first(one for one in ports if one in opened)
    if port is None:
        raise UserError(
            f"the gateway {workload.name}.{workload.namespace} does not open port {ports[0]}",
            help=f"it opens {', '.join(str(number) for number in sorted(opened))}",
        )
    server = max((one for one in servers if one.port == port), key=lambda one: _rank(one, server_name))
    mode = server.tls.mode if server.tls else None
    return Arrival(
        workload=workload,
        numbers=(server.port,),
        bytes_only=not reads_requests(server),
        edge=True,
        asks=mode in _ASKING,
        demands=mode in _ASKING and mode is not ServerTlsMode.OPTIONAL_MUTUAL,
    )


def _rank(server: Server, name: str) -> int:
    """How narrowly a server of TLS has a name: exactly, by its longest wildcard, or not."""
    fitting = [one.host for one in server.hosts if one.host == name or covers(one.host, name)]
    return max((len(host) + (1000 if host == name else 0) for host in fitting), default=-1)


def _named(name: str, namespace: str) -> tuple[str, str]:
    """A name and its namespace."""
    own, dot, rest = name.partition(".")
    return (own, rest.partition(".")[0]) if dot else (name, namespace)


def _is(service: Service, name: str, own: str, namespace: str) -> bool:
    return service.host == name or (service.name == own and service.namespace == namespace)


def _numbers(port: Port, workload: Workload) -> tuple[int, ...]:
    """What a port goes by at a workload. One that weft's agent registered has its sidecar's port in its entry, and
    its own number, by which policies know it, in the service alone."""
    own = port.target if isinstance(port.target, int) else port.number
    named = dict(workload.ports).get(port.name)
    if named is None:
        return (own,)
    return tuple(dict.fromkeys((own, named))) if _REGISTERED in workload.labels else (named,)


def _port_of(mesh: Mesh, workload: Workload, port: int | None) -> tuple[tuple[int, ...], bool]:
    """The port that is named, or the first that a service leads to."""
    for service in mesh.services.values():
        if service.namespace == workload.namespace and service.selector is not None:
            for one in service.ports if includes(workload.labels, service.selector) else ():
                numbers = _numbers(one, workload)
                if port in (None, one.number, *numbers):
                    return numbers, not one.protocol.is_http
    return (port or 80,), False
