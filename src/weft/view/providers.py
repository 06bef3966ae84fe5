"""The services that the mesh's settings name, by the hosts that the mesh has them under."""

from weft.kit.value import first
from weft.model.mesh import Mesh


def host_of(service: str, port: int, namespace: str, mesh: Mesh) -> str:
    """The host of a service with a port, "" if there is none; ``namespace`` says whose, "" whichever is visible."""
    suffix = f".svc.{mesh.settings.domain_suffix}"
    names = (service, f"{service}{suffix}", f"{service}.{namespace}{suffix}")
    found = first(one for name in names if (one := mesh.services.get(name)) is not None)
    if found is None or (namespace and found.namespace != namespace):
        return ""
    return found.host if any(one.number == port for one in found.ports) else ""
