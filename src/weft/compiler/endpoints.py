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
from weft.view.view import Endpoint, EndpointSet

TLS_MODE = {"tlsMode": "istio"}
"""What marks an endpoint that has a sidecar, and what the cluster's TLS asks for."""


@memo(32768)
def endpoints_resource(found: EndpointSet) -> Resource:
    """The EDS resource of a target. No endpoints make an empty one, never none."""
    name = cluster_name(found.target)
    return resource(ENDPOINTS, name, serialized(assignment(name, found.endpoints)))


def assignment(name: str, endpoints: tuple[Endpoint, ...]) -> ClusterLoadAssignment:
    """Endpoints by locality; each locality's in the order given."""
    ordered = sorted(endpoints, key=lambda endpoint: endpoint.locality)
    groups = groupby(ordered, key=lambda endpoint: endpoint.locality)
    return ClusterLoadAssignment(
        cluster_name=name, endpoints=[_locality(place, list(group)) for place, group in groups]
    )


def _locality(place: str, endpoints: list[Endpoint]) -> LocalityLbEndpoints:
    region, zone, sub_zone = (*place.split("/", 2), "", "")[:3]
    return LocalityLbEndpoints(
        locality=Locality(region=region, zone=zone, sub_zone=sub_zone) if place else None,
        lb_endpoints=[_endpoint(endpoint) for endpoint in endpoints],
    )


def _endpoint(endpoint: Endpoint) -> LbEndpoint:
    return LbEndpoint(
        endpoint=EnvoyEndpoint(address=socket(endpoint.address, endpoint.port)),
        metadata=_marked() if endpoint.meshed else None,
        load_balancing_weight=number(endpoint.weight) if endpoint.weight != 1 else None,
    )


def _marked() -> Metadata:
    mark = Struct()
    mark.update(TLS_MODE)
    return Metadata(filter_metadata={"envoy.transport_socket_match": mark})
