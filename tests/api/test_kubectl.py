"""The real kubectl, unmodified, against a real server."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Live, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

REVIEWS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  labels: {team: books}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
      weight: 90
    - destination: {host: reviews, subset: v2}
      weight: 10
---
apiVersion: v1
kind: Service
metadata: {name: reviews, labels: {team: books}}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080}]
"""


@pytest.fixture
def file(live: Live) -> Iterator[str]:
    """The documents in a file; nothing of them is left when the test ends."""
    path = live.write("reviews.yaml", REVIEWS)
    yield path
    live.run("delete", "--ignore-not-found", "-f", path)


def get(live: Live, *arguments: str) -> Any:
    return json.loads(live.run("get", *arguments, "-o", "json"))


def test_kinds_are_discovered(live: Live) -> None:
    names = live.run("api-resources", "-o", "name").split()
    assert {"virtualservices.networking.istio.io", "services", "namespaces"} <= set(names)
    assert "networking.istio.io/v1beta1" in live.run("api-versions").split()
    assert "Server Version: v1." in live.run("version")


def test_documents_are_applied_changed_and_deleted(live: Live, file: str) -> None:
    assert live.run("apply", "-f", file).splitlines() == [
        "virtualservice.networking.istio.io/reviews created",
        "service/reviews created",
    ]
    assert live.run("apply", "-f", file).count("unchanged") == 2
    changed = live.write("changed.yaml", REVIEWS.replace("90", "80").replace("weight: 10", "weight: 20"))
    difference = live.run("diff", "-f", changed, code=1)
    assert "-      weight: 90" in difference
    assert "+      weight: 80" in difference
    assert "virtualservice.networking.istio.io/reviews configured" in live.run("apply", "-f", changed)
    assert live.run("diff", "-f", changed) == ""
    assert live.run("delete", "-f", file).count("deleted") == 2
    assert "NotFound" in live.run("get", "vs", "reviews", code=1)


def test_client_side_apply_merges_ports(live: Live, file: str) -> None:
    live.run("apply", "-f", file)
    other = REVIEWS.replace("[{name: http, port: 9080}]", "[{name: grpc, port: 9090}, {name: http2, port: 9091}]")
    live.run("apply", "-f", live.write("ports.yaml", other))
    assert [port["port"] for port in get(live, "svc", "reviews")["spec"]["ports"]] == [9090, 9091]


def test_server_side_apply_knows_owners(live: Live, file: str) -> None:
    assert live.run("apply", "--server-side", "-f", file).count("serverside-applied") == 2
    live.run("patch", "vs", "reviews", "--type=merge", "-p", '{"spec":{"hosts":["ratings"]}}')
    refused = live.run("apply", "--server-side", "-f", file, code=1)
    assert 'conflict with "kubectl-patch" using networking.istio.io/v1: .spec.hosts' in refused
    live.run("apply", "--server-side", "--force-conflicts", "-f", file)
    assert get(live, "vs", "reviews")["spec"]["hosts"] == ["reviews"]


def test_client_side_applied_documents_move_to_server_side_apply(live: Live, file: str) -> None:
    live.run("apply", "-f", file)
    live.run("apply", "--server-side", "-f", file)
    entries = get(live, "vs", "reviews", "--show-managed-fields")["metadata"]["managedFields"]
    assert ("kubectl", "Apply") in [(entry["manager"], entry["operation"]) for entry in entries]
    assert "kubectl-client-side-apply" not in [entry["manager"] for entry in entries]


def test_objects_are_printed_in_every_form(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    table = live.run("get", "vs,svc")
    assert '["reviews"]' in table
    assert "NAMESPACE" in live.run("get", "vs", "-A", "-o", "wide")
    assert live.run("get", "vs,svc", "-o", "name").split() == [
        "virtualservice.networking.istio.io/reviews",
        "service/reviews",
    ]
    assert "weight: 90" in live.run("get", "vs", "reviews", "-o", "yaml")
    assert live.run("get", "vs", "reviews", "-o", "jsonpath={.spec.hosts[0]}") == "reviews"
    assert live.run("get", "vs", "-o", "custom-columns=N:.metadata.name", "--no-headers").strip() == "reviews"
    description = live.run("describe", "vs", "reviews")
    assert re.search(r"Weight: +90", description)
    assert "Events:" in description
    assert "http  9080/" in live.run("describe", "svc", "reviews")


def test_objects_are_selected(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    name = "virtualservice.networking.istio.io/reviews\n"
    assert live.run("get", "vs", "-l", "team=books", "-o", "name") == name
    assert live.run("get", "vs", "-l", "team notin (books)", "-o", "name") == ""
    assert live.run("get", "vs", "--field-selector", "metadata.name=reviews", "-o", "name") == name
    assert live.run("get", "vs", "--field-selector", "metadata.name=other", "-o", "name") == ""


def test_objects_are_labelled_annotated_and_patched(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    live.run("label", "vs", "reviews", "a=b")
    live.run("annotate", "svc", "reviews", "c=d")
    live.run("patch", "vs", "reviews", "--type=json", "-p", '[{"op":"replace","path":"/spec/hosts/0","value":"x"}]')
    live.run("patch", "svc", "reviews", "-p", '{"spec":{"ports":[{"port":9090,"name":"grpc"}]}}')
    found = get(live, "vs", "reviews")
    assert (found["metadata"]["labels"], found["spec"]["hosts"]) == ({"a": "b", "team": "books"}, ["x"])
    assert sorted(port["port"] for port in get(live, "svc", "reviews")["spec"]["ports"]) == [9080, 9090]
    live.run("label", "vs", "reviews", "a-")
    assert get(live, "vs", "reviews")["metadata"]["labels"] == {"team": "books"}


def test_objects_are_replaced(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    assert live.run("replace", "-f", file).count("replaced") == 2
    assert "AlreadyExists" in live.run("create", "-f", file, code=1)


def test_a_dry_run_stores_nothing(live: Live, file: str) -> None:
    assert "created (server dry run)" in live.run("apply", "--dry-run=server", "-f", file)
    assert live.run("get", "vs", "-o", "name") == ""


def test_kinds_are_explained(live: Live) -> None:
    text = live.run("explain", "virtualservice.spec.http.route")
    assert "VERSION:    v1" in text
    assert "weight" in text
    assert "nothing" in live.run("explain", "vs.spec.nothing", code=1)
    assert "ports" in live.run("explain", "service.spec")


@pytest.mark.parametrize("how", [["create"], ["apply"], ["apply", "--server-side"], ["apply", "--validate=false"]])
def test_an_unknown_field_is_refused_with_its_path(live: Live, how: list[str]) -> None:
    (document, _) = REVIEWS.split("---")
    refused = live.run(*how, "-f", "-", stdin=document.replace("hosts:", "hots:"), code=1)
    assert "spec.hots" in refused
    assert "hosts" in refused
    assert "NotFound" in live.run("get", "vs", "reviews", code=1)


def test_a_list_of_documents_is_applied_and_checked(live: Live) -> None:
    meta = "metadata: {name: reviews}"
    policy = f"{{apiVersion: security.istio.io/v1, kind: PeerAuthentication, {meta}, spec: {{mtls: {{mode: STRICT}}}}}}"
    rule = f"{{apiVersion: networking.istio.io/v1beta1, kind: DestinationRule, {meta}, spec: {{host: reviews}}}}"
    both = f"apiVersion: v1\nkind: List\nitems:\n- {policy}\n- {rule}\n"
    assert live.run("apply", "-f", "-", stdin=both).count("created") == 2
    assert "unknown field" in live.run("apply", "-f", "-", stdin=both.replace("host:", "hots:"), code=1)
    assert live.run("delete", "-f", "-", stdin=both).count("deleted") == 2


def test_kubectl_waits(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    assert "condition met" in live.run("wait", "--for=jsonpath={.spec.hosts[0]}=reviews", "vs/reviews", "--timeout=5s")
    assert "timed out" in live.run("wait", "--for=jsonpath={.spec.hosts[0]}=x", "vs/reviews", "--timeout=1s", code=1)


def test_kubectl_watches(live: Live, file: str) -> None:
    with live.watching("get", "vs", "-w", "--output-watch-events") as seen:
        live.run("create", "-f", file)
        wait_for(lambda: "ADDED" in seen())
        live.run("label", "vs", "reviews", "a=b")
        wait_for(lambda: "MODIFIED" in seen())
        live.run("delete", "vs", "reviews")
        wait_for(lambda: "DELETED" in seen())


def test_namespaces_are_created_used_and_deleted(live: Live) -> None:
    assert "namespace/books created" in live.run("create", "namespace", "books")
    live.run("create", "service", "clusterip", "shelf", "--tcp=80:8080", "-n", "books")
    assert get(live, "svc", "shelf", "-n", "books")["spec"]["ports"][0]["targetPort"] == 8080
    assert "still holds 1 object" in live.run("delete", "namespace", "books", code=1)
    live.run("delete", "service", "--all", "-n", "books")
    live.run("delete", "namespace", "books")
    assert "books" not in live.run("get", "namespaces", "-o", "name")
    live.run("label", "namespace", "default", "a=b")
    assert get(live, "ns", "default")["metadata"]["labels"]["a"] == "b"


def test_kubectl_asks_who_it_is(live: Live) -> None:
    assert live.run("auth", "can-i", "create", "virtualservices").strip() == "yes"
    assert "tester" in live.run("auth", "whoami")
    refused = subprocess.run(
        live.command("get", "vs", "--token=wrong"), capture_output=True, text=True, timeout=30, check=False
    )
    assert refused.returncode == 1
    assert "Unauthorized" in refused.stderr or "must be logged in" in refused.stderr


def test_kubectl_makes_roles_and_gives_them(live: Live) -> None:
    live.run("create", "role", "reader", "-n", "shop", "--verb=get,list", "--resource=virtualservices,services")
    assert get(live, "role", "reader", "-n", "shop")["rules"] == [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["services"]},
        {"verbs": ["get", "list"], "apiGroups": ["networking.istio.io"], "resources": ["virtualservices"]},
    ]
    live.run("create", "rolebinding", "jane", "-n", "shop", "--role=reader", "--user=jane", "--group=devs")
    live.run("create", "clusterrole", "paths", "--verb=get", "--non-resource-url=/weft/*")
    live.run("create", "clusterrolebinding", "bot", "--clusterrole=paths", "--serviceaccount=ci:bot")
    as_jane = ("--as=jane", "--as-group=system:authenticated")
    assert live.run("auth", "can-i", "list", "vs", "-n", "shop", *as_jane).strip() == "yes"
    assert "no" in live.run("auth", "can-i", "delete", "vs", "-n", "shop", *as_jane, code=1)
    assert "is forbidden" in live.run("delete", "vs", "any", "-n", "shop", *as_jane, code=1)
    assert "virtualservices" in live.run("auth", "can-i", "--list", "-n", "shop", *as_jane)
    as_bot = ("--as=system:serviceaccount:ci:bot",)
    assert live.run("auth", "can-i", "get", "/weft/v1/proxies", *as_bot).strip() == "yes"
    live.run("delete", "clusterrole/paths", "clusterrolebinding/bot")
    live.run("delete", "role/reader", "rolebinding/jane", "-n", "shop")


def test_older_versions_are_spoken(live: Live) -> None:
    (document, _) = REVIEWS.split("---")
    old = document.replace("istio.io/v1", "istio.io/v1alpha3")
    assert "created" in live.run("apply", "-f", "-", stdin=old)
    assert get(live, "vs", "reviews")["apiVersion"] == "networking.istio.io/v1"
    assert get(live, "virtualservices.v1beta1.networking.istio.io", "reviews")["apiVersion"].endswith("v1beta1")
    live.run("delete", "vs", "reviews")


def test_collections_are_deleted(live: Live, file: str) -> None:
    live.run("create", "-f", file)
    assert live.run("delete", "vs,svc", "-l", "team=books").count("deleted") == 2
    assert live.run("get", "vs,svc", "-o", "name") == ""
