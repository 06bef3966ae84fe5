"""What ``kubectl get`` shows of Kubernetes' own kinds: the columns and words of its API server."""

from typing import Any

import pytest

from weft.api.resources import EVENTS, Resource
from weft.api.table import Tables
from weft.dialects.kinds import Kind
from weft.dialects.kubernetes.rbac_serve import CLUSTER_ROLE, ROLE_BINDING
from weft.dialects.kubernetes.serve import CONFIG_MAP, RESOURCE_QUOTA, SECRET, SERVICE

METADATA = {"name": "one", "namespace": "shop", "creationTimestamp": "2026-01-02T03:04:05Z"}
NOW = 1767323045.0 + 65


def shown(kind: Kind | Resource, content: dict[str, Any], *, wide: bool = False) -> list[tuple[str, Any]]:
    """The columns and cells of one row."""
    resource = kind if isinstance(kind, Resource) else Resource(kind=kind)
    table = Tables(resource, "v1", "None", NOW).table([{"metadata": METADATA} | content], {})
    columns, (row,) = table["columnDefinitions"], table["rows"]
    pairs = zip(columns, row["cells"], strict=True)
    return [(column["name"], cell) for column, cell in pairs if wide or column["priority"] == 0]


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        (
            {"clusterIP": "240.0.0.1", "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]},
            {},
            ["ClusterIP", "240.0.0.1", "<none>", "80/TCP,53/UDP"],
        ),
        ({"clusterIP": "None", "externalIPs": ["192.0.2.1"]}, {}, ["ClusterIP", "None", "192.0.2.1", "<none>"]),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            {},
            ["NodePort", "<none>", "<none>", "80:30080/TCP"],
        ),
        ({"type": "LoadBalancer"}, {}, ["LoadBalancer", "<none>", "<pending>", "<none>"]),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"hostname": "b.example"}, {"ip": "192.0.2.7"}]}},
            ["LoadBalancer", "<none>", "192.0.2.7,b.example", "<none>"],
        ),
        ({"type": "ExternalName", "externalName": "a.example"}, {}, ["ExternalName", "<none>", "a.example", "<none>"]),
    ],
)
def test_a_service_is_shown_with_its_addresses_and_ports(
    spec: dict[str, Any], status: dict[str, Any], cells: list[str]
) -> None:
    found = shown(SERVICE, {"spec": {"type": "ClusterIP"} | spec, "status": status})
    assert [name for name, _ in found] == ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]
    assert [cell for _, cell in found] == ["one", *cells, "65s"]


def test_a_selector_is_shown_as_labels_are_written() -> None:
    content = {"spec": {"selector": {"version": "v1", "app": "web"}}}
    assert shown(SERVICE, content, wide=True)[-1] == ("Selector", "app=web,version=v1")
    assert shown(SERVICE, {"spec": {}}, wide=True)[-1] == ("Selector", "<none>")


def test_a_binding_is_shown_with_its_role_and_who_gets_it() -> None:
    subjects = [
        {"kind": "User", "name": "jane"},
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "User", "name": "joe"},
        {"kind": "Group", "name": "developers"},
    ]
    content = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects}
    assert shown(ROLE_BINDING, content) == [("Name", "one"), ("Role", "ClusterRole/view"), ("Age", "65s")]
    assert shown(ROLE_BINDING, content, wide=True)[3:] == [
        ("Users", "jane, joe"),
        ("Groups", "developers"),
        ("ServiceAccounts", "shop/web"),
    ]


def test_a_role_is_shown_with_the_time_it_was_created() -> None:
    assert shown(CLUSTER_ROLE, {}) == [("Name", "one"), ("Created At", "2026-01-02T03:04:05Z")]


def test_a_quota_is_shown_with_what_is_used() -> None:
    status = {"hard": {"services": "20", "limits.cpu": "2", "configmaps": 5}, "used": {"services": "3"}}
    assert shown(RESOURCE_QUOTA, {"status": status}) == [
        ("Name", "one"),
        ("Request", "configmaps: 0/5, services: 3/20"),
        ("Limit", "limits.cpu: 0/2"),
        ("Age", "65s"),
    ]
    assert shown(RESOURCE_QUOTA, {})[1:3] == [("Request", ""), ("Limit", "")]


def test_an_event_is_shown_with_its_object_and_its_own_name_last() -> None:
    content = {
        "lastTimestamp": "2026-01-02T03:05:00Z", "firstTimestamp": "2026-01-02T03:04:05Z", "type": "Normal",
        "reason": "Applied", "message": "changed", "count": 2, "source": {"component": "weft"},
        "involvedObject": {"kind": "VirtualService", "name": "reviews"},
    }  # fmt: skip
    assert shown(EVENTS, content) == [
        ("Last Seen", "10s"),
        ("Type", "Normal"),
        ("Reason", "Applied"),
        ("Object", "virtualservice/reviews"),
        ("Message", "changed"),
    ]
    assert shown(EVENTS, content, wide=True)[-1] == ("Name", "one")


def test_maps_and_secrets_are_shown_with_how_much_they_hold() -> None:
    assert shown(CONFIG_MAP, {"data": {"a": "1"}, "binaryData": {"b": "MQ=="}})[1:] == [("Data", 2), ("Age", "65s")]
    assert shown(SECRET, {"type": "Opaque", "data": {"a": "MQ=="}})[1:3] == [("Type", "Opaque"), ("Data", 1)]
