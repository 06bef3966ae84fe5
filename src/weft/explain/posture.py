"""How well each workload is guarded: what it asks of callers, and which access policies decide for it. Pure."""

from weft.kit.value import Value
from weft.model.authorization import Action
from weft.model.mesh import Mesh
from weft.view.access_policies import holds_for
from weft.view.index import index_of

_DECIDING = (Action.ALLOW, Action.DENY, Action.CUSTOM)


class Posture(Value):
    """``mtls`` is the mode of its ports that no policy names apart; ``policies`` are those that decide."""

    namespace: str
    workload: str
    account: str
    meshed: bool
    mtls: str
    policies: tuple[str, ...] = ()


def postures_of(mesh: Mesh) -> tuple[Posture, ...]:
    """Every workload of the mesh, in order of their names."""
    root = mesh.settings.root_namespace
    deciding = [one for one in mesh.access_policies if one.action in _DECIDING and not one.dry_run]
    found = []
    for workload in mesh.workloads:
        namespace, labels = workload.namespace, workload.labels
        policies = (one for one in deciding if holds_for(one, namespace, labels, root))
        found.append(
            Posture(
                namespace=namespace,
                workload=workload.name,
                account=workload.account or "default",
                meshed=workload.meshed,
                mtls=index_of(mesh).peers_of(namespace).mode_of(labels, ()).value,
                policies=tuple(f"{one.namespace}/{one.name}" for one in policies),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.namespace, one.workload)))
