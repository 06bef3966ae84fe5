"""The mesh's recorded calls as requests to be judged again."""

from typing import Any

from weft.cli.client import Client
from weft.cli.connection import connection_of
from weft.cli.talk import say
from weft.explain.reach import Wanted
from weft.explain.unrecorded import NOT_RECORDED
from weft.kit.value import Value
from weft.model.mesh import Mesh


class Recorded(Value):
    """Calls of the mesh and how often, of which ``lost`` and ``left_out`` are not told."""

    calls: tuple[tuple[Wanted, int], ...]
    lost: int = 0
    left_out: int = 0


def recorded(connection: dict[str, Any], seconds: float) -> Recorded:
    """The calls of the last seconds."""
    with Client(connection_of(**connection)) as client:
        found = client.get("/weft/v1/calls", sinceSeconds=f"{seconds:.3f}")
    calls = tuple((wanted_of(row), int(row["count"])) for row in found["items"])
    return Recorded(calls=calls, lost=found["lost"], left_out=found["leftOut"])


def wanted_of(row: dict[str, Any]) -> Wanted:
    """A recorded call as a request to be judged. A connection of bytes has no method."""
    return Wanted(
        caller=row["from"],
        callee=row["to"],
        method=row["method"] or "GET",
        path=row["path"] or "/",
        headers=(("host", row["host"]),),
        source_ip=row["sourceIp"] or "127.0.0.1",
        remote_ip=row["remoteIp"],
        own_ip=row["destinationIp"],
        server_name=row["serverName"],
        told_bytes=not row["method"],
        unknown=NOT_RECORDED,
    )


def present(found: Recorded, *meshes: Mesh) -> tuple[tuple[Wanted, int], ...]:
    """The calls whose callee is still there; how many are left out is told."""
    known = frozenset.intersection(*(_workloads(mesh) for mesh in meshes))
    kept = tuple(one for one in found.calls if callee_of(one[0]) in known)
    gone = sum(count for _, count in found.calls) - sum(count for _, count in kept)
    if gone:
        say(f"{gone:,} calls to workloads that are gone are left out")
    if found.left_out or found.lost:
        say(f"{found.left_out + found.lost} calls of rare kinds are left out")
    return kept


def _workloads(mesh: Mesh) -> frozenset[str]:
    return frozenset(f"{workload.name}.{workload.namespace}" for workload in mesh.workloads)


def callee_of(wanted: Wanted) -> str:
    """The workload that was called."""
    return wanted.callee.partition(":")[0]
