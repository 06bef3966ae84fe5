"""The names that a workload can look up, and what they stand for: what its agent's resolver answers.

Services and hosts by their virtual addresses, headless services and their pods by the pods' addresses, services that
are other names for something by that name. What the workload does not see has no name for it, and hosts without an
address of the mesh's are for others to resolve, wildcards too. Source: Istio's name table.
"""

from collections.abc import Iterator

from weft.model.mesh import Mesh
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.workload import Workload
from weft.view.direct import is_headless
from weft.view.imports import Scope
from weft.view.index import MeshIndex, index_of
from weft.view.named import Named, NamedPod, NamedPort, Names
from weft.view.node import Node
from weft.view.scope import scope_of
from weft.view.upstreams import port_of


def names_of(mesh: Mesh, node: Node) -> Names:
    """The names of a proxy's workload; those of one scope share them."""
    index = index_of(mesh)
    scope = scope_of(mesh, node)
    if scope not in index.names:
        suffix = f"svc.{mesh.settings.domain_suffix}"
        index.names[scope] = Names(namespace=scope.namespace, suffix=suffix, hosts=tuple(_hosts(index, scope)))
    return index.names[scope]


def _hosts(index: MeshIndex, scope: Scope) -> Iterator[Named]:
    for service in index.seen_by(scope).services.values():
        if service.host.startswith("*"):
            continue
        if is_headless(service):
            yield _headless(index, service)
        elif alias := _alias(service):
            yield Named(host=service.host, alias=alias)
        elif addresses := tuple(one for one in service.addresses if "/" not in one):
            yield Named(host=service.host, addresses=addresses, ports=tuple(_port(one) for one in service.ports))


def _alias(service: Service) -> str:
    """What a Service of the type ``ExternalName`` stands for."""
    outside = service.origin.key.kind == "Service" and service.resolution is Resolution.DNS
    return service.endpoints[0].address if outside and service.endpoints else ""


def _headless(index: MeshIndex, service: Service) -> Named:
    answering = [one for one in index.supply_of(service).workloads if one.healthy or service.unready_too]
    pods = tuple(_pod(one, service) for one in sorted(answering, key=lambda one: (one.name, one.address)))
    ports = tuple(_port(one) for one in service.ports)
    return Named(host=service.host, addresses=tuple(dict.fromkeys(one.address for one in pods)), ports=ports, pods=pods)


def _pod(workload: Workload, service: Service) -> NamedPod:
    found = ((one, port_of(workload, one)) for one in service.ports)
    ports = tuple(_port(one, number) for one, number in found if number is not None)
    return NamedPod(name=workload.name, address=workload.address, ports=ports)


def _port(port: Port, number: int | None = None) -> NamedPort:
    return NamedPort(
        name=port.name, number=port.number if number is None else number, udp=port.protocol is Protocol.UDP
    )
