"""The endpoints of a target, as Envoy's ``ClusterLoadAssignment``."""

from itertools import groupby

from google.protobuf.struct_pb2 import Struct

from weft._pb.envoy.config.core.v3.base_pb2 import Locality, Metadata
from weft._pb.envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint as EnvoyEndpoint
from weft._pb.envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft.compiler.names import cluster_name
from weft.compiler.resource import ENDPOINTS, Resource, resource
from weft.compiler.wire import number, serialized, socket
from weft.kit.memo import memo
from weft.view.view import Endpoint, EndpointSet, LocalityShares

TLS_MODE = {"tlsMode": "istio"}
"""What marks an endpoint that has a sidecar, and what the cluster's TLS asks for."""


@memo(32768)
def endpoints_resource(found: EndpointSet) -> Resource:
    """The EDS resource of a target. No endpoints make an empty one, never none."""
    name = cluster_name(found.target)
    return resource(ENDPOINTS, name, serialized(assignment(name, found.endpoints, found.shares)))


def assignment(
    name: str, endpoints: tuple[Endpoint, ...], shares: LocalityShares | None = None
) -> ClusterLoadAssignment:
    """Endpoints by priority and locality; each locality's in the order given."""
    ordered = sorted(endpoints, key=_group)
    groups = [_locality(place, list(group), priority) for (priority, place), group in groupby(ordered, key=_group)]
    if shares is not None:
        for group in groups:
            _weigh(group, dict(shares))
    return ClusterLoadAssignment(cluster_name=name, endpoints=groups)


def _group(endpoint: Endpoint) -> tuple[int, str]:
    return (endpoint.priority, endpoint.locality)


def _locality(place: str, endpoints: list[Endpoint], priority: int) -> LocalityLbEndpoints:
    region, zone, sub_zone = (*place.split("/", 2), "", "")[:3]
    return LocalityLbEndpoints(
        locality=Locality(region=region, zone=zone, sub_zone=sub_zone) if place else None,
        lb_endpoints=[_endpoint(endpoint) for endpoint in endpoints],
        priority=priority,
    )


def _weigh(group: LocalityLbEndpoints, shares: dict[str, int]) -> None:
    """A locality's share, else the sum of its endpoints' weights, so that endpoints are called by their own;
    one without a weight gets nothing."""
    place = locality_name(group.locality)
    weights = sum(one.load_balancing_weight.value or 1 for one in group.lb_endpoints)
    if share := shares.get(place, weights):
        group.load_balancing_weight.value = share


def locality_name(locality: Locality) -> str:
    """``region/zone/subzone`` as far as it is known."""
    return "/".join((locality.region, locality.zone, locality.sub_zone)).rstrip("/")


def _endpoint(endpoint: Endpoint) -> LbEndpoint:
    return LbEndpoint(
        endpoint=EnvoyEndpoint(address=socket(endpoint.address, endpoint.port)),
        metadata=_metadata(endpoint),
        load_balancing_weight=number(endpoint.weight) if endpoint.weight != 1 else None,
    )


def _metadata(endpoint: Endpoint) -> Metadata | None:
    """Whether its sidecar answers, and the workload that it is, as Istio says both."""
    said: dict[str, dict[str, str]] = {}
    if endpoint.meshed:
        said["envoy.transport_socket_match"] = TLS_MODE
    if endpoint.peer:
        said["istio"] = {"workload": endpoint.peer}
    return Metadata(filter_metadata={key: _struct(content) for key, content in said.items()}) if said else None


def _struct(content: dict[str, str]) -> Struct:
    made = Struct()
    made.update(content)
    return made
