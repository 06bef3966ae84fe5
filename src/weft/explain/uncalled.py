"""Which workloads of a destination are not called, and why: their agents found them ill, they flap, or they drain."""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.explain.call import Explanation, Step
from weft.model.mesh import Mesh
from weft.model.workload import DRAINING, Workload
from weft.view.index import index_of
from weft.view.node import Node
from weft.view.scope import scope_of

_SHOWN = 8


def with_uncalled(said: Explanation, mesh: Mesh, node: Node) -> Explanation:
    """An explanation whose steps ``endpoints`` name them."""
    return replace(said, steps=tuple(_told(step, mesh, node) for step in said.steps))


def _told(step: Step, mesh: Mesh, node: Node) -> Step:
    parts = step.about.split("|")
    if step.name != "endpoints" or len(parts) != 4:
        return step
    ill = tuple(_ill(parts[3], mesh, node))
    more = (f"and {len(ill) - _SHOWN} more are not called",) if len(ill) > _SHOWN else ()
    return replace(step, details=(*step.details, *map(_words, ill[:_SHOWN]), *more)) if ill else step


def _ill(host: str, mesh: Mesh, node: Node) -> Iterator[Workload]:
    index = index_of(mesh)
    service = index.seen_by(scope_of(mesh, node)).services.get(host)
    if service is not None and not service.unready_too:
        yield from (one for one in index.supply_of(service).workloads if not one.healthy)


def _words(workload: Workload) -> str:
    why = {"Flapping": "it flaps", DRAINING: "it is about to end"}.get(workload.reason, "its agent finds it ill")
    return f"not called: {workload.name}, {why}" + (f" ({workload.message})" if workload.message else "")
