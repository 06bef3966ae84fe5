"""Which plugins stand in a proxy's chains, in their order."""

from weft.kit.value import includes
from weft.model.document import Key
from weft.model.gateway import covers_labels
from weft.model.istio import GATEWAY_NAME_LABEL
from weft.model.mesh import Mesh
from weft.model.plugin import Phase, Plugin
from weft.view.node import Node

_PHASES = tuple(Phase)


def plugins_for(mesh: Mesh, node: Node) -> tuple[Plugin, ...]:
    """Those for the proxy, and those that routes may switch on."""
    if not mesh.plugins:
        return ()
    found = [one for one in mesh.plugins if one.on_routes or _is_for(one, mesh, node)]
    return tuple(sorted(found, key=lambda one: (_PHASES.index(one.phase), one.order)))


def _is_for(plugin: Plugin, mesh: Mesh, node: Node) -> bool:
    if plugin.gateways is not None:
        name = dict(node.labels).get(GATEWAY_NAME_LABEL)
        return plugin.namespace == node.namespace and name in plugin.gateways
    if plugin.targets is not None:
        own = _stood_for(mesh, node)
        return any(key in own for key, _ in plugin.targets)
    if plugin.namespace not in (mesh.settings.root_namespace, node.namespace):
        return False
    return includes(node.labels, plugin.selector)


def _stood_for(mesh: Mesh, node: Node) -> set[Key]:
    """The documents that a proxy stands for: the Gateways that select it, or the services that select its workload."""
    if node.gateway is not None:
        return {one.origin.key for one in covers_labels(mesh.gateways, node.labels)}
    services = (*mesh.services.values(), *mesh.others)
    return {
        one.origin.key
        for one in services
        if one.namespace == node.namespace and one.selector and includes(node.labels, one.selector)
    }
