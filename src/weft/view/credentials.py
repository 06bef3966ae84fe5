"""What one gateway says of the certificates that its servers name: they are looked for in its own namespace."""

from collections.abc import Iterable, Iterator

from weft.model.credential import Credential, permitted, places_of
from weft.model.finding import Finding, Path, Severity
from weft.model.gateway import Placed, ServerTls
from weft.model.mesh import Mesh
from weft.view.node import Node


def absent_credentials(mesh: Mesh, node: Node, servers: Iterable[Placed]) -> tuple[Finding, ...]:
    """Warnings for those that are not there for this gateway, if their document is of another namespace."""
    found = (
        _absent(placed, node, credential, step)
        for placed in servers
        if placed.server.tls is not None and placed.gateway.namespace != node.namespace
        for credential, authorities, step in _named(placed.server.tls)
        if not _is_there(mesh, node, credential, authorities=authorities)
    )
    return tuple(dict.fromkeys(found))


def _named(tls: ServerTls) -> Iterator[tuple[Credential, bool, str]]:
    for credential in tls.credentials:
        yield credential, False, "credentialName" if len(tls.credentials) == 1 else "credentialNames"
    if tls.clients.credential is not None:
        own = any(one.name == tls.clients.credential.name for one in tls.credentials)
        yield tls.clients.credential, True, "credentialName" if own else "caCertCredentialName"


def _is_there(mesh: Mesh, node: Node, credential: Credential, *, authorities: bool) -> bool:
    if not permitted(credential, node.namespace, gateway=True):
        return False
    return any(place in mesh.credentials for place in places_of(credential, node.namespace, authorities=authorities))


def _absent(placed: Placed, node: Node, credential: Credential, step: str) -> Finding:
    path: Path = ("spec", "servers", placed.server.index, "tls", step)
    space = credential.namespace or node.namespace
    return Finding(
        code="W0280",
        message=f'the gateway {node.id} finds no secret "{credential.name}" in the namespace {space}',
        severity=Severity.WARNING,
        document=placed.gateway.origin.key,
        path=path,
        help="secrets are looked for in the namespace of the gateway that runs, not in that of the document",
    )
