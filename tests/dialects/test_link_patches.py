"""The order in which patches are made."""

from weft.dialects.link_patches import linked_patches
from weft.model.document import Key, Origin
from weft.model.extension import Patch, PatchOperation, PatchTarget
from weft.model.settings import Settings


def patch(name: str, namespace: str = "shop", priority: int = 0, created: str = "2026-01-02") -> Patch:
    return Patch(
        origin=Origin(key=Key(kind="EnvoyFilter", name=name, namespace=namespace), created=created),
        path=("spec", "configPatches", 0),
        namespace=namespace,
        priority=priority,
        target=PatchTarget.CLUSTER,
        operation=PatchOperation.REMOVE,
    )


def test_priority_comes_before_the_root_namespace_and_that_before_age_and_name():
    ordered = [
        patch("z", priority=-1),
        patch("y", namespace="istio-system", created="2026-01-03"),
        patch("x", created="2026-01-01"),
        patch("a"),
        patch("b"),
        patch("c", namespace="istio-system", priority=1),
    ]
    assert [one.origin.key.name for one in linked_patches(reversed(ordered), Settings())] == list("zyxabc")


def test_patches_of_one_document_keep_their_order():
    pair = [patch("a"), patch("a")]
    first, second = linked_patches(pair, Settings())
    assert first is pair[0]
    assert second is pair[1]
