"""Which patches are made to what a proxy is sent."""

from weft.kit.value import includes
from weft.model.extension import Patch
from weft.model.mesh import Mesh
from weft.view.node import Node


def patches_for(mesh: Mesh, node: Node) -> tuple[Patch, ...]:
    """Those of the root namespace and of the proxy's own whose selector fits, in order.

    Weft's proxies tell no version and no metadata of Istio, so a patch that asks for these holds for none.
    """
    namespaces = (mesh.settings.root_namespace, node.namespace)
    return tuple(one for one in mesh.patches if one.namespace in namespaces and _selects(one, node))


def _selects(patch: Patch, node: Node) -> bool:
    return not patch.only_versions and not patch.only_metadata and includes(node.labels, patch.selector)
