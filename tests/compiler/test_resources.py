"""One service and its caller, from the mesh to what Envoy accepts."""

from tests.compiler.bootstrap import check_with_envoy, clusters, endpoints, listeners, manager_of, route_configurations
from tests.view.meshes import fqdn, inlet, mesh, node, outlet, service, workload
from weft.compiler.resources import resources_of
from weft.view.build import view_of

REVIEWS = f"outbound|9080||{fqdn('reviews')}"


def pair():
    return mesh(service("reviews"), service("web"), workloads=[workload("reviews"), workload("web")])


def test_a_caller_and_its_service_are_accepted_by_envoy(tmp_path):
    caller = node("web", outlets=[outlet("reviews", 9080)])
    server = node("reviews", inlets=[inlet(9080)])
    for proxy in (caller, server):
        check_with_envoy(resources_of(view_of(pair(), proxy)), tmp_path)


def test_names_are_istios():
    resources = resources_of(view_of(pair(), node("web", inlets=[inlet()], outlets=[outlet("reviews", 9080)])))
    assert REVIEWS in clusters(resources)
    assert "inbound|9080||" in clusters(resources)
    assert REVIEWS in endpoints(resources)
    assert set(listeners(resources)) == {"http_proxy", "inbound_127.0.0.1_21001", "upstream_127.0.0.1_23456"}
    inbound = {"inbound|9080||", "inbound|9080|plain|"}
    assert set(route_configurations(resources)) == {"http_proxy", REVIEWS, *inbound}
    assert manager_of(listeners(resources)["http_proxy"]).rds.route_config_name == "http_proxy"
