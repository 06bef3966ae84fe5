"""What recorded calls do not tell: whose policies ask for something that was not written down."""

from weft.explain.reach import node_of
from weft.model.authorization import Attribute
from weft.model.mesh import Mesh
from weft.view.access_policies import guards_of

_NOT_RECORDED = (
    Attribute.REQUEST_PRINCIPAL,
    Attribute.AUDIENCE,
    Attribute.PRESENTER,
    Attribute.CLAIM,
    Attribute.HEADER,
    Attribute.REMOTE_IP,
    Attribute.SERVER_NAME,
    Attribute.METADATA,
)


def asking_for_more(mesh: Mesh) -> frozenset[str]:
    """Workloads, ``<name>.<namespace>``, whose verdicts may hang on headers, tokens or the like."""
    return frozenset(
        f"{workload.name}.{workload.namespace}"
        for workload in mesh.workloads
        if guards_of(mesh, node_of(mesh, workload)).reads(*_NOT_RECORDED)
    )
