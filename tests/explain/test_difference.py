"""What would change between two configurations of a proxy."""

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.resource import CLUSTER, ENDPOINTS, ROUTES, Resources, resource
from weft.explain.difference import ADDED, CHANGED, REMOVED, Difference, differences


def _resources(**messages: object) -> Resources:
    types = {Cluster: CLUSTER, ClusterLoadAssignment: ENDPOINTS, RouteConfiguration: ROUTES}
    found = [
        resource(types[type(message)], name, message.SerializeToString(deterministic=True))
        for name, message in messages.items()
    ]
    return Resources(resources=tuple(found))


def _routes(*names: str, status: int = 200) -> RouteConfiguration:
    routes = RouteConfiguration(name="r")
    host = routes.virtual_hosts.add(name="reviews", domains=["reviews"])
    for name in names:
        host.routes.add(name=name).direct_response.status = status
    return routes


def test_equal_resources_differ_in_nothing() -> None:
    assert differences(_resources(a=Cluster(name="a")), _resources(a=Cluster(name="a"))) == ()


def test_what_is_added_and_removed_is_told_by_kind_and_name() -> None:
    found = differences(_resources(a=Cluster(name="a")), _resources(b=Cluster(name="b")))
    assert found == (
        Difference(kind="cluster", name="a", change=REMOVED),
        Difference(kind="cluster", name="b", change=ADDED),
    )


def test_of_routes_the_single_route_is_told() -> None:
    (found,) = differences(_resources(r=_routes("one", "two")), _resources(r=_routes("two", "three")))
    assert found.change == CHANGED
    assert found.parts == ("virtual host reviews: route one removed", "virtual host reviews: route three added")


def test_of_other_resources_the_field_is_told_and_the_text_on_demand() -> None:
    before, after = Cluster(name="a"), Cluster(name="a")
    after.connect_timeout.seconds = 5
    (found,) = differences(_resources(a=before), _resources(a=after), texts=True)
    assert found.parts == ("connect_timeout added",)
    assert '+  "connect_timeout": "5s",' in found.text


def test_the_order_of_virtual_hosts_is_a_change_too() -> None:
    before, after = (RouteConfiguration(name="r") for _ in range(2))
    for routes, names in ((before, "ab"), (after, "ba")):
        for name in names:
            routes.virtual_hosts.add(name=name, domains=[name])
    (found,) = differences(_resources(r=before), _resources(r=after))
    assert found.parts == ("virtual_hosts changed",)
