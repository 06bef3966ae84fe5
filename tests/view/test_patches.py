"""Which patches are made to which proxy."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.view.meshes import mesh, node, origin, service
from weft.model.extension import Patch, PatchOperation, PatchTarget
from weft.model.istio import GATEWAY_NAME_LABEL, ISTIO_VERSION
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node
from weft.view.patches import bootstrap_patches_for

WEB = replace(node("web"), metadata=(("TIER", "gold"),))
EDGE = replace(node("edge", **{GATEWAY_NAME_LABEL: "edge"}), gateway=GatewayPlace(bind="127.0.0.1"))


def patch(target: PatchTarget = PatchTarget.CLUSTER, **changes: Any) -> Patch:
    fields = {"namespace": "shop", "operation": PatchOperation.MERGE, "value": b"{}"} | changes
    return Patch(origin=origin("it"), path=(), target=target, **fields)


def made(one: Patch, to: Node = WEB) -> bool:
    return view_of(mesh(service("web"), patches=(one,)), to).patches == (one,)


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"only_versions": ISTIO_VERSION.replace(".", r"\.")}, True),
        ({"only_versions": r"^1\.3[0-9]"}, True),
        ({"only_versions": r"^1\.2[0-9]"}, False),
        ({"only_metadata": (("TIER", "gold"),)}, True),
        ({"only_metadata": (("TIER", "iron"),)}, False),
        ({"only_metadata": (("NAMESPACE", "shop"), ("SERVICE_ACCOUNT", "web"))}, True),
        ({"gateways": ("edge",)}, False),
        ({"gateways": ()}, False),
        ({"namespace": "istio-system"}, True),
        ({"namespace": "other"}, False),
    ],
)
def test_a_patch_is_made_to_proxies_that_are_what_it_asks_for(asked: dict[str, Any], holds: bool):
    assert made(patch(**asked)) is holds


def test_a_gateway_gets_its_patches_and_those_attached_to_it():
    assert made(patch(), EDGE)
    assert made(patch(gateways=("edge",)), EDGE)
    assert not made(patch(gateways=("other",)), EDGE)
    assert not made(patch(gateways=("edge",), namespace="istio-system"), EDGE)


def test_metadata_cannot_claim_another_namespace():
    liar = replace(WEB, metadata=(("NAMESPACE", "bank"),))
    assert not made(patch(only_metadata=(("NAMESPACE", "bank"),)), liar)


def test_a_patch_of_the_bootstrap_holds_at_the_start_and_never_later():
    one = patch(PatchTarget.BOOTSTRAP)
    assert not made(one)
    assert bootstrap_patches_for(mesh(patches=(one,)), WEB) == (one,)
