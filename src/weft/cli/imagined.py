"""Sidecars and gateways that documents speak of, for when there is no mesh to ask: what they would be sent."""

from collections.abc import Iterator, Sequence

from weft.compiler.resource import Previewed
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import fragment_of
from weft.kit.value import Labels, includes
from weft.model.document import Document
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.service import Port
from weft.model.settings import Settings
from weft.model.workload import Workload
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Inlet, Node

_PROXY = ("127.0.0.1", 3128)
_EVERYWHERE = GatewayPlace(bind="0.0.0.0")  # noqa: S104  imagined: nothing listens


def imagined(before: Sequence[Document], after: Sequence[Document]) -> tuple[Previewed, ...]:
    """What proxies would have under each of two sets of documents.

    There is one for each workload, one for each namespace without any, and one for each selector of Gateways.
    """
    old, new = _mesh(before), _mesh(after)
    nodes = {node.id: node for mesh in (old, new) for node in _nodes(mesh)}
    return tuple(
        Previewed(name=name, before=resources_of(view_of(old, node)), after=resources_of(view_of(new, node)))
        for name, node in sorted(nodes.items())
    )


def _mesh(documents: Sequence[Document]) -> Mesh:
    base = Settings()
    known = {document.key: document for document in documents}
    settings = settings_of(known.get(mesh_config_key(base)), base, base).settings
    return link(tuple(fragment_of(document, settings) for document in documents), settings, 1)


def _nodes(mesh: Mesh) -> Iterator[Node]:
    busy = set()
    for workload in mesh.workloads:
        busy.add(workload.namespace)
        yield _node(mesh, workload.name, workload.namespace, workload.labels, tuple(_inlets(mesh, workload)))
    named = {service.namespace for service in mesh.services.values()} | {one.namespace for one in mesh.route_tables}
    for namespace in named - busy:
        yield _node(mesh, "any", namespace)
    for labels in dict.fromkeys(gateway.selector for gateway in mesh.gateways):
        name = ",".join(f"{key}={value}" for key, value in labels)
        yield _node(mesh, f"gateway[{name}]", mesh.settings.root_namespace, labels, gateway=_EVERYWHERE)


def _node(
    mesh: Mesh,
    name: str,
    namespace: str,
    labels: Labels = (),
    inlets: tuple[Inlet, ...] = (),
    gateway: GatewayPlace | None = None,
) -> Node:
    return Node(
        id=f"{name}.{namespace}",
        namespace=namespace,
        workload=name,
        identity=Identity(trust_domain=mesh.settings.trust_domain, namespace=namespace, account="default"),
        labels=labels,
        inlets=inlets,
        http_proxy=None if gateway else _PROXY,
        gateway=gateway,
    )


def _inlets(mesh: Mesh, workload: Workload) -> Iterator[Inlet]:
    """The ports that services lead to."""
    seen = set()
    for service in mesh.services.values():
        mine = service.selector is not None and includes(workload.labels, service.selector)
        for port in service.ports if mine and service.namespace == workload.namespace else ():
            number = _target(port, workload)
            if number not in seen:
                seen.add(number)
                yield Inlet(
                    name=port.name,
                    port=number,
                    bind="127.0.0.1",
                    bind_port=number,
                    app_port=number,
                    protocol=port.protocol,
                )


def _target(port: Port, workload: Workload) -> int:
    named = dict(workload.ports).get(port.name)
    if named is not None:
        return named
    return port.target if isinstance(port.target, int) else port.number
