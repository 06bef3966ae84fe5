"""Which plugins stand in a proxy's chains, in their order."""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.kit.value import includes
from weft.model.attachment import Attachment, Target
from weft.model.gateway import covers_labels
from weft.model.istio import GATEWAY_NAME_LABEL
from weft.model.mesh import Mesh
from weft.model.plugin import Phase, Plugin
from weft.view.node import Node

_PHASES = tuple(Phase)


def plugins_for(mesh: Mesh, node: Node) -> tuple[Plugin, ...]:
    """Those for the proxy, and, switched off, those that routes may switch on."""
    if not mesh.plugins:
        return ()
    found = (placed for one in mesh.plugins if (placed := _placed(one, mesh, node)) is not None)
    return tuple(sorted(found, key=lambda one: (_PHASES.index(one.phase), one.order)))


def _placed(plugin: Plugin, mesh: Mesh, node: Node) -> Plugin | None:
    if plugin.attachment is not None:
        return _attached(plugin, plugin.attachment, mesh, node)
    if plugin.gateways is not None:
        name = dict(node.labels).get(GATEWAY_NAME_LABEL)
        return plugin if plugin.namespace == node.namespace and name in plugin.gateways else None
    near = plugin.namespace in (mesh.settings.root_namespace, node.namespace)
    return plugin if near and includes(node.labels, plugin.selector) else None


def _attached(plugin: Plugin, attachment: Attachment, mesh: Mesh, node: Node) -> Plugin | None:
    """What routes name stands switched off, unless the proxy has it anyway."""
    if attachment.selector is not None:
        fits = attachment.namespace == node.namespace and includes(node.labels, attachment.selector)
        return plugin if fits else None
    own = {one.key: one for one in attachment.targets}.keys() & set(_stood_for(mesh, node))
    mine = [one for one in attachment.targets if one.key in own]
    if mine:
        return replace(plugin, chains=tuple(_chain(one) for one in mine) if all(one.section for one in mine) else ())
    return replace(plugin, off=True) if any(one.key.kind.endswith(_ROUTES) for one in attachment.targets) else None


_ROUTES = ("Route", "VirtualService")


def _chain(target: Target) -> str:
    """What the chains of a gateway's server are called."""
    return f"{target.section}.{target.key.name}.{target.key.namespace}"


def _stood_for(mesh: Mesh, node: Node) -> Iterator[object]:
    """The documents that a proxy stands for: the Gateways that select it, or the services that select its workload."""
    if node.gateway is not None:
        yield from (one.origin.key for one in covers_labels(mesh.gateways, node.labels, node.namespace))
        return
    for one in (*mesh.services.values(), *mesh.others):
        if one.namespace == node.namespace and one.selector and includes(node.labels, one.selector):
            yield one.origin.key
