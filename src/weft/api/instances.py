"""How many instances answer for what traffic goes to, how many of them are well, and how many are about to end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weft.kit.value import includes
from weft.model.mesh import Mesh
from weft.model.reporting import peer_of
from weft.model.workload import Workload
from weft.observe.edges import Edge
from weft.observe.graph import Endpoints, Level

Counted = Mapping[tuple[Level, str, str], Endpoints]


def instances_of(mesh: Mesh, edges: Sequence[Edge]) -> Counted:
    """By level, namespace and name: all workloads and versions, and the services at an end of an edge."""
    ends = {(end.peer.namespace, end.peer.service) for edge in edges for end in (edge.source, edge.destination)}
    hosts = {edge.service for edge in edges}
    found: dict[tuple[Level, str, str], list[Workload]] = {}
    for one in mesh.workloads:
        peer = peer_of(one.name, one.namespace, one.labels)
        found.setdefault((Level.WORKLOAD, one.namespace, peer.workload), []).append(one)
        found.setdefault((Level.VERSION, one.namespace, f"{peer.service}/{peer.revision}"), []).append(one)
    for service in mesh.services.values():
        if service.selector is not None and (service.host in hosts or (service.namespace, service.name) in ends):
            found[Level.SERVICE, service.namespace, service.name] = [
                one
                for one in mesh.workloads
                if one.namespace == service.namespace and includes(one.labels, service.selector)
            ]
    return {key: _counted(workloads) for key, workloads in found.items()}


def instances_json(endpoints: Endpoints) -> dict[str, Any]:
    """In an answer."""
    return {"total": endpoints.total, "healthy": endpoints.healthy, "draining": endpoints.draining}


def _counted(workloads: Iterable[Workload]) -> Endpoints:
    every = tuple(workloads)
    return Endpoints(
        total=len(every),
        healthy=sum(one.healthy for one in every),
        draining=sum(one.draining for one in every),
    )
