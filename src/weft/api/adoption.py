"""What is still plaintext: for each service, who calls it without a certificate, and whom STRICT would turn away.

Made of what others have found. Callers by address are those of the last hour, which is how long calls are kept;
counters go back as far as is asked. What a STRICT port refused is no call, and in neither.
"""

from collections.abc import Iterable, Sequence
from enum import Enum

from weft.explain.posture import postures_of
from weft.kit.value import Value, value_at
from weft.model.mesh import Mesh
from weft.model.reporting import peer_of
from weft.model.workload import Workload
from weft.observe.calls import Call
from weft.observe.coverage import EdgeTraffic

_MOST_CALLERS, _MOST_PATHS = 100, 3
_STRICT = "STRICT"
_APP = "app"


class Verdict(Enum):
    """What becomes of a service's callers when it is made STRICT."""

    STRICT = "strict"
    """It is."""
    READY = "ready"
    """Nobody called it in plaintext, and somebody called it."""
    BREAKS = "breaks"
    """Somebody did."""
    UNKNOWN = "unknown"
    """Nobody called it."""
    NO_SIDECAR = "no sidecar"
    """Some of its workloads have none: they are called in plaintext by everybody."""


class Caller(Value):
    """Who called without a certificate: ``workloads`` are those that are known at the address and have no sidecar."""

    address: str
    workloads: tuple[str, ...]
    calls: int
    ports: tuple[int, ...]
    paths: tuple[str, ...]


class Adoption(Value):
    """A service. ``calls`` and ``plaintext`` are counted over the period asked for, or lately if that is more."""

    namespace: str
    service: str
    workloads: int
    without_sidecar: int
    mtls: str
    calls: int
    plaintext: int
    verdict: Verdict
    callers: tuple[Caller, ...] = ()


def adoption_of(mesh: Mesh, edges: Sequence[EdgeTraffic], calls: Sequence[tuple[Call, int]]) -> tuple[Adoption, ...]:
    """Every service that has workloads, in order of their names."""
    modes = {(one.namespace, one.workload): one.mtls for one in postures_of(mesh)}
    groups: dict[tuple[str, str], list[Workload]] = {}
    for workload in mesh.workloads:
        service = value_at(workload.labels, _APP) or workload.name
        groups.setdefault((workload.namespace, service), []).append(workload)
    outside = _outside(mesh)
    return tuple(
        _adoption(key, members, {modes[one.namespace, one.name] for one in members}, edges, calls, outside)
        for key, members in sorted(groups.items())
    )


def _adoption(
    key: tuple[str, str],
    members: Sequence[Workload],
    modes: set[str],
    edges: Sequence[EdgeTraffic],
    calls: Sequence[tuple[Call, int]],
    outside: dict[str, tuple[str, ...]],
) -> Adoption:
    namespace, service = key
    proxies = {f"{one.name}.{namespace}" for one in members}
    peers = {f"{peer_of(one.name, namespace, one.labels).workload}.{namespace}" for one in members}
    counted = [edge for edge in edges if edge.destination in peers]
    heard = [(call, count) for call, count in calls if call.proxy in proxies]
    callers = _callers(((call, count) for call, count in heard if not call.source), outside)
    total = max(sum(edge.total for edge in counted), sum(count for _, count in heard))
    plain = max(sum(edge.total - edge.mtls for edge in counted), sum(one.calls for one in callers))
    without = sum(not one.meshed for one in members)
    return Adoption(
        namespace=namespace,
        service=service,
        workloads=len(members),
        without_sidecar=without,
        mtls=next(iter(modes)) if len(modes) == 1 else "MIXED",
        calls=total,
        plaintext=plain,
        verdict=_verdict(modes, without, total, plain),
        callers=callers[:_MOST_CALLERS],
    )


def _verdict(modes: set[str], without: int, total: int, plain: int) -> Verdict:
    if without:
        return Verdict.NO_SIDECAR
    if modes == {_STRICT}:
        return Verdict.STRICT
    if plain:
        return Verdict.BREAKS
    return Verdict.READY if total else Verdict.UNKNOWN


def _callers(calls: Iterable[tuple[Call, int]], outside: dict[str, tuple[str, ...]]) -> tuple[Caller, ...]:
    """By address, those with the most calls first."""
    by_address: dict[str, list[tuple[Call, int]]] = {}
    for call, count in calls:
        by_address.setdefault(call.address or "unknown", []).append((call, count))
    found = [
        Caller(
            address=address,
            workloads=outside.get(address, ()),
            calls=sum(count for _, count in theirs),
            ports=tuple(sorted({call.port for call, _ in theirs if call.port})),
            paths=tuple(dict.fromkeys(call.path for call, _ in theirs if call.path))[:_MOST_PATHS],
        )
        for address, theirs in by_address.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.calls, one.address)))


def _outside(mesh: Mesh) -> dict[str, tuple[str, ...]]:
    """The workloads without sidecars, by address."""
    found: dict[str, tuple[str, ...]] = {}
    for one in mesh.workloads:
        if not one.meshed:
            found[one.address] = (*found.get(one.address, ()), f"{one.name}.{one.namespace}")
    return found
