"""What is said of an EnvoyFilter alone."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME
from weft.dialects.translate import check
from weft.model.finding import field_path

VALUE = {"name": "mine", "typed_config": {"@type": "type.googleapis.com/a.B"}}


def said(*patches: dict[str, Any], **spec: Any) -> set[tuple[str, str]]:
    """Code and place of everything but the warning that each EnvoyFilter gets."""
    content = {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "it", "namespace": "shop"},
        "spec": {"configPatches": list(patches), **spec},
    }
    findings = check(BY_NAME["EnvoyFilter"], content)
    assert "W0160" in {one.code for one in findings}
    return {(one.code, field_path(one.path)) for one in findings if one.code != "W0160"}


def patch(operation: str = "MERGE", target: str = "CLUSTER", **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"operation": operation, "value": {"name": "x"}}
    return {"applyTo": target, "patch": body | more.pop("patch", {}), **more}


@pytest.mark.parametrize(
    ("one", "code", "place"),
    [
        ({"applyTo": "CLUSTER"}, "W0105", "patch"),
        ({"patch": {"operation": "REMOVE"}}, "W0105", "applyTo"),
        ({"applyTo": "CLUSTER", "patch": {}}, "W0105", "patch.operation"),
        (patch(target="BOOTSTRAP", patch={"value": {"admin": {}}}), "W0110", "patch.value.admin"),
        (patch(target="BOOTSTRAP", match={"cluster": {}}), "W0161", "match.cluster"),
        (patch(target="EXTENSION_CONFIG"), "W0128", "patch.operation"),
        (patch(match={"context": "WAYPOINT"}), "W0128", "match.context"),
        (patch(match={"context": "WAYPOINT", "listener": {}}), "W0161", "match.listener"),
        (patch(match={"context": "WAYPOINT", "waypoint": {"portNumber": 0}}), "W0115", "match.waypoint.portNumber"),
        (patch(match={"waypoint": {}}), "W0161", "match.waypoint"),
        (patch(match={"listener": {}}), "W0161", "match.listener"),
        (patch(match={"proxy": {"proxyVersion": "("}}), "W0109", "match.proxy.proxyVersion"),
        (patch("REPLACE"), "W0128", "patch.operation"),
        (patch("REMOVE", "HTTP_FILTER"), "W0128", "patch.operation"),
        (patch("ADD", "HTTP_FILTER"), "W0163", "patch.value"),
        (patch(patch={"filterClass": "AUTHZ"}), "W0128", "patch.filterClass"),
        (patch(patch={"value": {"name": 7}}), "W0162", "patch.value.name"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(one: dict[str, Any], code: str, place: str):
    assert (code, f"spec.configPatches[0].{place}") in said(one)


GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (GATEWAY, set()),
        ({"kind": "Service", "name": "web"}, {("W0128", "spec.targetRefs[0].kind")}),
        (GATEWAY | {"namespace": "other"}, {("W0121", "spec.targetRefs[0].namespace")}),
        ({"kind": "Gateway", "name": "web"}, {("W0121", "spec.targetRefs[0].kind")}),
    ],
)
def test_patches_are_attached_to_gateways_of_their_namespace(target: dict[str, str], found: set[tuple[str, str]]):
    assert said(targetRefs=[target]) == found


def test_targets_and_a_selector_exclude_each_other():
    selector = {"labels": {"app": "web"}}
    assert said(targetRefs=[GATEWAY], workloadSelector=selector) == {("W0106", "spec.targetRefs")}


def test_what_proxies_tell_of_themselves_can_be_asked_for():
    assert said(patch(match={"proxy": {"proxyVersion": "^1.2", "metadata": {"a": "b"}}})) == set()


def test_an_insert_with_a_type_is_in_order():
    assert said(patch("INSERT_FIRST", "HTTP_FILTER", patch={"value": VALUE})) == set()
