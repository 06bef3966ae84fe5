"""What policies say of a request, as ``weft authz check`` tells it."""

from collections.abc import Sequence
from typing import Any

from weft.cli.listing import How, Item, Shown, give_items, written
from weft.cli.manifests import Manifest
from weft.cli.talk import coloured, give
from weft.explain.access import Outcome
from weft.explain.reach import Reached

_COLOURS = {Outcome.ALLOWED: "ok", Outcome.DENIED: "error", Outcome.ASKED: "note"}


class Places:
    """Where in the files documents are."""

    def __init__(self, manifests: Sequence[Manifest], namespace: str) -> None:
        self._known = {(one.kind, one.namespace or namespace, one.name): one for one in manifests}

    def of(self, answer: Reached) -> str:
        """The file and line of the rule that decided, "" if there is none."""
        policy, rule = answer.verdict.policy, answer.verdict.rule
        manifest = self._known.get(("AuthorizationPolicy", policy.namespace, policy.name)) if policy else None
        if manifest is None:
            return ""
        place = manifest.yaml.place((*manifest.root, "spec", "rules", rule or 0), at_key=False)
        return f"{manifest.source.name}:{place.line}"


def _tell(answer: Reached, places: Places) -> None:
    verdict = answer.verdict
    word = coloured(verdict.outcome.value, _COLOURS[verdict.outcome])
    give(f"{word}  {answer.caller} -> {answer.workload}:{answer.port}")
    give(f"  {verdict.why}")
    if verdict.policy is not None:
        where = places.of(answer)
        told = f"  {verdict.policy.action.value} AuthorizationPolicy {verdict.policy.namespace}/{verdict.policy.name}"
        give(f"{told}, rule {verdict.rule}{f'  ({where})' if where else ''}")
    for policy in verdict.audited:
        give(f"  is logged for AuthorizationPolicy {policy.namespace}/{policy.name}")
    for policy, outcome in verdict.tried:
        give(f"  would be {outcome.value} by AuthorizationPolicy {policy.namespace}/{policy.name}, which is only tried")


def _json(answer: Reached, places: Places) -> dict[str, Any]:
    verdict = answer.verdict
    policy = verdict.policy
    found: dict[str, Any] = {
        "workload": answer.workload,
        "port": answer.port,
        "caller": answer.caller,
        "outcome": verdict.outcome.value,
        "why": verdict.why,
        "audited": [f"{one.namespace}/{one.name}" for one in verdict.audited],
        "tried": [{"policy": f"{one.namespace}/{one.name}", "outcome": made.value} for one, made in verdict.tried],
    }
    if policy is not None:
        found["policy"] = {"namespace": policy.namespace, "name": policy.name, "action": policy.action.value}
        found |= {"rule": verdict.rule, "place": places.of(answer)}
    return found


def show_verdicts(answers: Sequence[Reached], places: Places, how: How) -> None:
    """Tell the verdict of each workload."""
    items = [_json(one, places) for one in answers]
    if how.output == "text":
        for answer in answers:
            _tell(answer, places)
    elif how.is_table or how.output == "name":
        give_items(how, {}, _SHOWN, items)
    else:
        give(written(items, how.output))


def _policy(item: Item) -> str:
    policy = item.get("policy")
    return f"{policy['namespace']}/{policy['name']}" if policy else "-"


_SHOWN = Shown(
    name=lambda one: str(one["workload"]),
    head=("workload", "port", "caller", "outcome", "policy", "why"),
    cells=lambda one: [one["workload"], str(one["port"]), one["caller"], one["outcome"], _policy(one), one["why"]],
    wide_head=("rule", "place"),
    wide_cells=lambda one: [str(one.get("rule", "-")), one.get("place") or "-"],
    colours={outcome.value: colour for outcome, colour in _COLOURS.items()},
)
