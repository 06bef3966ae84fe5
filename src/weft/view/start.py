"""What a proxy is told once, before it is started."""

from weft.kit.value import Value, first, includes
from weft.model.extension import Patch
from weft.model.mesh import Mesh
from weft.model.proxy import ProxySettings
from weft.view.node import Node
from weft.view.patches import bootstrap_patches_for


class Start(Value):
    """Worker threads (``None``: nothing is said; 0: one for each CPU) and the patches of the bootstrap, in order."""

    concurrency: int | None = None
    patches: tuple[Patch, ...] = ()


def start_of(mesh: Mesh, node: Node) -> Start:
    """What holds for one proxy."""
    return Start(concurrency=_concurrency(mesh, node), patches=bootstrap_patches_for(mesh, node))


def _concurrency(mesh: Mesh, node: Node) -> int | None:
    """What selects the workload comes first, then what its namespace says, then the root namespace; the oldest of each;
    then MeshConfig's ``defaultConfig``.

    Source: Istio ``mesh.effectiveProxyConfig``.
    """
    root = mesh.settings.root_namespace
    fitting = [one for one in mesh.proxy_settings if _holds(one, node, root) and one.concurrency is not None]
    ordered = sorted(fitting, key=lambda one: (not one.selector, one.origin.key.namespace == root != node.namespace))
    chosen = first(ordered)
    return chosen.concurrency if chosen else mesh.settings.concurrency


def _holds(one: ProxySettings, node: Node, root: str) -> bool:
    namespace = one.origin.key.namespace
    if one.selector:
        return namespace == node.namespace and includes(node.labels, one.selector)
    return namespace in (root, node.namespace)
