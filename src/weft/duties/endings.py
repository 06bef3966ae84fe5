"""All that ends in a mesh, for ``weft ca status``: of the authority, the control plane, workloads and secrets."""

from collections.abc import Iterable, Iterator

from weft.ca.ending import Ending, worrying
from weft.ca.rotator import Holder
from weft.ca.server_certificate import ServerCertificate
from weft.model.mesh import Mesh


def endings_of_servers(servers: Iterable[tuple[str, ServerCertificate]]) -> Iterator[Ending]:
    """The certificates of the control plane's own listeners."""
    for name, server in servers:
        shown = server.current
        life = shown.expires - server.since
        yield Ending(kind="server", name=name, expires=shown.expires, life=life, renewed=shown.renewed)


def endings_of_workloads(holders: Iterable[Holder], lifetime: float, now: float) -> Iterator[Ending]:
    """Certificates of workloads that should have been renewed; the others are renewed in time."""
    for holder in holders:
        name = f"{holder.name}.{holder.identity.namespace}"
        ending = Ending(kind="workload", name=name, expires=holder.expires, life=lifetime, renewed=True)
        if holder.expires and worrying(ending, now):
            yield ending


def endings_of_secrets(mesh: Mesh | None) -> Iterator[Ending]:
    """Certificates in Secrets that gateways and destination rules name; those of an issuer are renewed."""
    if mesh is None:
        return
    issued = {one.order.secret for one in mesh.issuances}
    for key, stored in sorted(mesh.credentials.items(), key=lambda item: str(item[0])):
        if stored.not_before is not None and stored.not_after is not None:
            yield Ending(
                kind="secret",
                name=f"{key.namespace}/{key.name}",
                expires=float(stored.not_after),
                life=float(stored.not_after - stored.not_before),
                renewed=key in issued,
            )
