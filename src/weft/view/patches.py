"""Which patches are made to what a proxy is sent."""

import re2

from weft.kit.memo import memo
from weft.kit.value import includes
from weft.model.extension import Patch, PatchTarget
from weft.model.istio import GATEWAY_NAME_LABEL
from weft.model.mesh import Mesh
from weft.view.node import Node


def patches_for(mesh: Mesh, node: Node) -> tuple[Patch, ...]:
    """Those of the root namespace and of the proxy's own that are for it, in order, without those of its bootstrap."""
    return tuple(one for one in _of(mesh, node) if one.target is not PatchTarget.BOOTSTRAP)


def bootstrap_patches_for(mesh: Mesh, node: Node) -> tuple[Patch, ...]:
    """Those that hold when the proxy is started, in order."""
    return tuple(one for one in _of(mesh, node) if one.target is PatchTarget.BOOTSTRAP)


def _of(mesh: Mesh, node: Node) -> list[Patch]:
    namespaces = (mesh.settings.root_namespace, node.namespace)
    return [one for one in mesh.patches if one.namespace in namespaces and _selects(one, node)]


def _selects(patch: Patch, node: Node) -> bool:
    if not includes(node.labels, patch.selector):
        return False
    if patch.gateways is not None:
        name = dict(node.labels).get(GATEWAY_NAME_LABEL)
        return patch.namespace == node.namespace and name in patch.gateways
    return _tells(patch, node)


def _tells(patch: Patch, node: Node) -> bool:
    """Whether the proxy tells of itself what the patch asks for; the version anywhere in the text, as in Istio."""
    if not patch.only_versions and not patch.only_metadata:
        return True
    told = dict(node.told)
    version = told.get("ISTIO_VERSION", "")
    if patch.only_versions and not (version and _found(patch.only_versions, version)):
        return False
    return all(told.get(name) == value for name, value in patch.only_metadata)


@memo(256)
def _found(pattern: str, text: str) -> bool:
    """A pattern that is none fits no version; it is refused when its document is written."""
    try:
        return re2.search(pattern, text) is not None
    except re2.error:
        return False
