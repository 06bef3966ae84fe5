"""Documents together: precedence, merging, references."""

from tests.dialects.documents import codes, document, linked
from weft.dialects.link import link
from weft.model.document import Key
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh
from weft.model.route import Forward
from weft.model.service import Protocol
from weft.model.settings import Settings

SERVICE = "selector: {app: reviews}\nports: [{port: 9080, name: http}]"
TWO_PORTS = "selector: {app: reviews}\nports: [{port: 9080, name: http}, {port: 9090, name: grpc}]"
HOST = "reviews.shop.svc.cluster.local"


def route(destination: str, *, hosts: str = "[reviews]", more: str = "") -> str:
    return f"hosts: {hosts}\n{more}\nhttp:\n- route:\n  - destination: {{{destination}}}\n"


def about(mesh: Mesh, name: str) -> list[Finding]:
    return [finding for finding in mesh.findings if finding.document and finding.document.name == name]


def test_nothing_makes_an_empty_mesh() -> None:
    mesh = link((), Settings(), 7)
    assert (mesh.revision, mesh.services, mesh.findings) == (7, {}, ())


def test_of_two_virtual_services_for_a_host_the_older_counts_and_the_other_is_told_who_won() -> None:
    mesh = linked(
        document("Service", SERVICE, "reviews"),
        document("VirtualService", route("host: reviews"), "a", created="2026-01-02T00:00:00Z"),
        document("VirtualService", route("host: reviews"), "z", created="2026-01-01T00:00:00Z"),
    )
    assert [table.origin.key.name for table in mesh.route_tables] == ["z"]
    (finding,) = about(mesh, "a")
    assert (finding.code, finding.path, finding.severity) == ("W0203", ("spec", "hosts", 0), Severity.WARNING)
    assert "VirtualService shop/z" in finding.message


def test_of_two_of_the_same_age_the_name_decides_and_then_the_namespace() -> None:
    same = [document("VirtualService", route(f"host: {HOST}", hosts=f"[{HOST}]"), "v", namespace=n) for n in ("b", "a")]
    mesh = linked(document("Service", SERVICE, "reviews"), *same)
    assert [table.namespace for table in mesh.route_tables] == ["a"]


def test_a_table_keeps_the_hosts_that_nobody_else_has() -> None:
    mesh = linked(
        document("VirtualService", route("host: a.b"), "old", created="1"),
        document("VirtualService", route("host: a.b", hosts="[reviews, ratings]"), "young", created="2"),
    )
    assert [table.hosts for table in mesh.route_tables] == [(HOST,), ("ratings.shop.svc.cluster.local",)]


def test_tables_that_are_seen_from_different_namespaces_are_no_conflict() -> None:
    private = 'exportTo: ["."]'
    mesh = linked(
        *(
            document("VirtualService", route(f"host: {HOST}", hosts=f"[{HOST}]", more=private), "v", namespace=space)
            for space in ("a", "b")
        )
    )
    assert len(mesh.route_tables) == 2
    assert "W0203" not in [finding.code for finding in mesh.findings]


def test_a_table_that_only_some_see_does_not_hide_one_that_all_see() -> None:
    mesh = linked(
        document("VirtualService", route("host: a.b", more='exportTo: ["."]'), "old", created="1"),
        document("VirtualService", route("host: a.b"), "young", created="2"),
    )
    assert [table.origin.key.name for table in mesh.route_tables] == ["old", "young"]


def test_a_table_that_lost_in_sidecars_stays_on_its_gateways() -> None:
    mesh = linked(
        document("VirtualService", route("host: a.b"), "old", created="1"),
        document("VirtualService", route("host: a.b", more="gateways: [mesh, edge]"), "young", created="2"),
    )
    assert [table.gateways for table in mesh.route_tables] == [("mesh",), ("shop/edge",)]
    assert [finding.code for finding in about(mesh, "young")] == ["W0203", "W0210", "W0201"]


def test_a_wildcard_host_is_kept_beside_an_exact_one() -> None:
    mesh = linked(
        document("VirtualService", route("host: reviews"), "exact"),
        document("VirtualService", route("host: reviews", hosts='["*.shop.svc.cluster.local"]'), "wild"),
    )
    assert [table.hosts for table in mesh.route_tables] == [(HOST,), ("*.shop.svc.cluster.local",)]


def test_a_destination_without_a_port_has_the_only_one_of_its_service() -> None:
    mesh = linked(document("Service", SERVICE, "reviews"), document("VirtualService", route("host: reviews"), "v"))
    action = mesh.route_tables[0].http[0].action
    assert isinstance(action, Forward)
    assert action.backends[0].destination.port == 9080
    assert mesh.findings == ()


def test_a_destination_with_several_ports_is_left_open_when_the_called_one_fits() -> None:
    mesh = linked(document("Service", TWO_PORTS, "reviews"), document("VirtualService", route("host: reviews"), "v"))
    action = mesh.route_tables[0].http[0].action
    assert isinstance(action, Forward)
    assert action.backends[0].destination.port is None
    assert mesh.findings == ()


def test_a_destination_with_several_ports_of_which_none_was_called_is_reported() -> None:
    mesh = linked(
        document("Service", TWO_PORTS, "reviews"),
        document("Service", "ports: [{port: 80, name: http}]", "web"),
        document("VirtualService", route("host: reviews", hosts="[web]"), "v"),
    )
    (finding,) = mesh.findings
    assert (finding.code, finding.help) == ("W0207", "add port.number: its ports are 9080, 9090")


def test_unknown_hosts_subsets_and_ports_are_reported_and_the_rest_is_served() -> None:
    spec = """
    hosts: [reviews]
    http:
    - route:
      - {destination: {host: revievs}, weight: 50}
      - {destination: {host: reviews, subset: v9}, weight: 50}
      mirror: {host: reviews, port: {number: 1}}
    """
    mesh = linked(
        document("Service", SERVICE, "reviews"),
        document("DestinationRule", "host: reviews\nsubsets: [{name: v1}, {name: v2}]", "reviews"),
        document("VirtualService", spec, "v"),
    )
    assert codes(mesh.findings) == [
        ("W0201", "spec.http.0.route.0.destination.host"),
        ("W0202", "spec.http.0.route.1.destination.subset"),
        ("W0208", "spec.http.0.mirror.port.number"),
    ]
    assert {finding.severity for finding in mesh.findings} == {Severity.WARNING}
    assert mesh.findings[0].help == f"did you mean {HOST}?"
    assert mesh.findings[2].help == "its ports are 9080"
    assert len(mesh.route_tables) == 1


def test_a_host_that_a_wildcard_service_entry_covers_is_known() -> None:
    entry = 'hosts: ["*.example.com"]\nports: [{number: 80, name: http, protocol: HTTP}]\naddresses: [10.0.0.1]'
    mesh = linked(document("ServiceEntry", entry), document("VirtualService", route("host: api.example.com")))
    assert "W0201" not in [finding.code for finding in mesh.findings]


def test_rules_of_one_host_are_merged_and_the_first_policy_counts_as_a_whole() -> None:
    mesh = linked(
        document("DestinationRule", "host: reviews\nsubsets: [{name: v1}]", "a", created="1"),
        document(
            "DestinationRule",
            "host: reviews\nsubsets: [{name: v2}, {name: v1}]\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}",
            "b",
            created="2",
        ),
        document(
            "DestinationRule",
            f"host: {HOST}\ntrafficPolicy: {{connectionPool: {{tcp: {{maxConnections: 1}}}}}}",
            "c",
            created="3",
        ),
    )
    (policy,) = mesh.policies["shop", HOST]
    assert [subset.name for subset in policy.subsets] == ["v1", "v2"]
    assert policy.policy.load_balancer is not None
    assert policy.policy.connection_pool is None
    assert [(finding.code, finding.document and finding.document.name) for finding in mesh.findings] == [
        ("W0204", "b"),
        ("W0205", "c"),
    ]


def test_rules_of_different_namespaces_are_not_merged() -> None:
    mesh = linked(*(document("DestinationRule", f"host: {HOST}", "a", namespace=space) for space in ("shop", "web")))
    assert set(mesh.policies) == {("shop", HOST), ("web", HOST)}


def test_a_rule_for_selected_callers_comes_before_the_one_for_all() -> None:
    selective = "host: reviews\nworkloadSelector: {matchLabels: {app: web}}"
    mesh = linked(
        document("DestinationRule", "host: reviews", "a", created="1"),
        document("DestinationRule", selective, "b", created="2"),
    )
    policies = mesh.policies["shop", HOST]
    assert [policy.workload_selector for policy in policies] == [(("app", "web"),), ()]
    assert policies[0].export_to == (".",)


def test_a_service_takes_the_endpoints_of_a_service_entry_and_none_of_its_ports() -> None:
    entry = f"""
    hosts: [{HOST}]
    location: MESH_INTERNAL
    resolution: STATIC
    ports: [{{number: 9080, name: tcp, protocol: TCP}}, {{number: 9090, name: grpc, protocol: GRPC}}]
    endpoints: [{{address: 10.0.0.9}}]
    """
    mesh = linked(
        document("ServiceEntry", entry, "extra", created="1"), document("Service", SERVICE, "reviews", created="2")
    )
    service = mesh.services[HOST]
    assert [(port.number, port.protocol) for port in service.ports] == [(9080, Protocol.HTTP)]
    assert [endpoint.address for endpoint in service.endpoints] == ["10.0.0.9"]
    assert service.selector == (("app", "reviews"),)
    (finding,) = mesh.findings
    assert (finding.code, finding.document) == (
        "W0206",
        Key(group="networking.istio.io", kind="ServiceEntry", namespace="shop", name="extra"),
    )


def test_of_two_services_of_a_host_that_all_may_see_the_second_is_told_that_the_first_counts() -> None:
    entry = "hosts: [api.example.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS"
    mesh = linked(*(document("ServiceEntry", entry, "api", namespace=space) for space in ("b", "a")))
    assert mesh.services["api.example.com"].namespace == "a"
    (finding,) = mesh.findings
    assert (finding.code, finding.document and finding.document.namespace) == ("W0206", "b")


def test_services_of_a_host_that_no_namespace_shows_to_others_are_no_conflict() -> None:
    entry = "hosts: [a.b]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS\nexportTo: ['.']"
    mesh = linked(*(document("ServiceEntry", entry, "api", namespace=space) for space in ("b", "a")))
    assert [mesh.services["a.b"].namespace, *(one.namespace for one in mesh.others)] == ["a", "b"]
    assert mesh.findings == ()


def test_service_entries_of_one_namespace_are_merged_if_resolution_and_selector_are_the_same() -> None:
    entry = "hosts: [a.b]\nports: [{{number: {port}, name: http, protocol: HTTP}}]\nresolution: {how}"
    mesh = linked(
        document("ServiceEntry", entry.format(port=80, how="DNS"), "first"),
        document("ServiceEntry", entry.format(port=81, how="DNS"), "like-it"),
        document("ServiceEntry", entry.format(port=82, how="NONE"), "unlike"),
    )
    assert [port.number for port in mesh.services["a.b"].ports] == [80, 81]
    assert [[port.number for port in one.ports] for one in mesh.others] == [[82]]
    assert [(one.code, one.document and one.document.name) for one in mesh.findings] == [("W0206", "unlike")]


def test_peer_policies_are_oldest_first_and_one_that_is_shadowed_is_told() -> None:
    mesh = linked(
        document("PeerAuthentication", "mtls: {mode: STRICT}", "young", created="2"),
        document("PeerAuthentication", "mtls: {mode: DISABLE}", "old", created="1"),
    )
    assert [policy.origin.key.name for policy in mesh.peer_policies] == ["old", "young"]
    assert [(finding.code, finding.document and finding.document.name) for finding in mesh.findings] == [
        ("W0209", "young")
    ]


def test_a_document_that_is_refused_leaves_the_others_alone() -> None:
    mesh = linked(
        document("Service", SERVICE, "reviews"),
        document("VirtualService", {"hosts": 5}, "broken"),
        document("VirtualService", route("host: reviews"), "good"),
    )
    assert [table.origin.key.name for table in mesh.route_tables] == ["good"]
    assert {finding.document and finding.document.name for finding in mesh.findings} == {"broken"}


def test_the_order_of_documents_does_not_matter() -> None:
    documents = (
        document("Service", SERVICE, "reviews"),
        document("VirtualService", route("host: reviews"), "a"),
        document("VirtualService", route("host: reviews"), "b"),
        document("DestinationRule", "host: reviews\nsubsets: [{name: v1}]", "a"),
        document("DestinationRule", "host: reviews\nsubsets: [{name: v1}]", "b"),
        document("WorkloadEntry", "address: 10.0.0.1", "w1"),
        document("WorkloadEntry", "address: 10.0.0.2", "w2"),
    )
    one, other = linked(*documents), linked(*reversed(documents))
    assert (one.services, one.workloads, one.route_tables, one.policies) == (
        other.services,
        other.workloads,
        other.route_tables,
        other.policies,
    )
    assert set(one.findings) == set(other.findings)


def test_a_subset_that_a_rule_for_a_wildcard_defines_is_known() -> None:
    mesh = linked(
        document("Service", SERVICE, "reviews"),
        document("DestinationRule", 'host: "*.shop.svc.cluster.local"\nsubsets: [{name: v1}]', "all"),
        document("VirtualService", route("host: reviews, subset: v1"), "v"),
    )
    assert mesh.findings == ()
