"""The labels of a gateway's proxy: its own, and those that its documents give it (Gateway API: ``infrastructure``)."""

from msgspec.structs import replace

from weft.model.gateway import covers_labels
from weft.model.mesh import Mesh
from weft.view.node import Node


def labelled(mesh: Mesh, node: Node) -> Node:
    """The node with the labels of the gateways that it serves; its own come before them."""
    if node.gateway is None:
        return node
    given: dict[str, str] = {}
    for gateway in covers_labels(mesh.gateways, node.labels, node.namespace):
        given = dict(gateway.labels) | given
    return replace(node, labels=tuple(sorted((given | dict(node.labels)).items()))) if given else node
