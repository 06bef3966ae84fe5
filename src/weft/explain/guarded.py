"""The end of an imagined call's way: what the access policies of the workloads say that it would reach."""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.explain.access import Outcome, Verdict
from weft.explain.call import Call, Explanation, State, Step
from weft.explain.reach import Reached, Wanted, reached
from weft.kit.errors import UserError
from weft.model.document import Place
from weft.model.identity import Identity
from weft.model.mesh import Mesh

_ACCESS = "access"


def with_access(explanation: Explanation, mesh: Mesh, caller: Identity, call: Call) -> Explanation:
    """The explanation with a step for every service that is called, unless the call fails on its way.

    Paths and headers that routes change on the way are judged as the caller wrote them.
    """
    if not explanation.ok:
        return explanation
    steps = tuple(_steps(explanation, mesh, caller, call))
    failed = next((step for step in steps if step.state is State.FAILED), None)
    outcome = f"the request would fail: {failed.what}" if failed else explanation.outcome
    return replace(explanation, steps=(*explanation.steps, *steps), outcome=outcome, ok=failed is None)


def _steps(explanation: Explanation, mesh: Mesh, caller: Identity, call: Call) -> Iterator[Step]:
    for host, port in dict.fromkeys(_called(explanation)):
        wanted = Wanted(
            caller=caller.uri,
            callee=f"{host}:{port}",
            method=call.method,
            path=call.path,
            headers=(("host", call.authority), *call.headers),
            namespace=caller.namespace,
        )
        try:
            yield from map(_step, _different(reached(mesh, wanted)))
        except UserError:
            continue


def _called(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """Host and port of the clusters that answer: ``100 % to outbound|9080||reviews.shop.svc.cluster.local``."""
    for step in explanation.steps:
        if step.name == "cluster" and not step.what.startswith("a copy"):
            parts = step.what.rpartition(" ")[2].split("|")
            if len(parts) == 4 and parts[0] == "outbound":
                yield parts[3], parts[1]


def _different(answers: tuple[Reached, ...]) -> list[Reached]:
    """One answer for each verdict."""
    found = {answer.verdict: answer for answer in reversed(answers)}
    return list(found.values())


def _step(answer: Reached) -> Step:
    verdict = answer.verdict
    state = State.FAILED if verdict.outcome is Outcome.DENIED else State.OK
    details = [f"{answer.caller} calls {answer.workload}:{answer.port}"]
    if verdict.policy is not None:
        name = f"{verdict.policy.namespace}/{verdict.policy.name}"
        details.append(f"{verdict.policy.action.value} AuthorizationPolicy {name}, rule {verdict.rule}")
    denied = "403, " if state is State.FAILED else ""
    what = f"{denied}{verdict.why}"
    return Step(name=_ACCESS, what=what, state=state, details=tuple(details), causes=tuple(_causes(verdict)))


def _causes(verdict: Verdict) -> Iterator[Place]:
    if verdict.policy is not None:
        rule = ("rules", verdict.rule) if verdict.rule is not None else ()
        yield Place(document=verdict.policy.origin.key, path=("spec", *rule))
