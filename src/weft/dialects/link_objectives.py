"""Objectives with the indicators, policies, conditions and targets that they name: all of their own namespace."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from weft.dialects.findings import Here, about
from weft.dialects.slo_parts import (
    Bound,
    ConditionPart,
    IndicatorPart,
    ObjectivePart,
    PolicyPart,
    SloPart,
    TargetPart,
)
from weft.model.document import Key
from weft.model.finding import Finding
from weft.model.objective import DEFAULT_RULES, AlertRule, Counted, Objective, Target

_P = TypeVar("_P", IndicatorPart, ConditionPart, TargetPart, PolicyPart)


class Linked(NamedTuple):
    """Objectives, and what names of them lead nowhere."""

    objectives: tuple[Objective, ...]
    findings: tuple[Finding, ...]


def linked_objectives(parts: Iterable[SloPart]) -> Linked:
    """Every objective that can be watched, by name."""
    links = _Links(parts)
    found: list[Objective] = []
    for part in links.objectives:
        found += links.linked(part)
    return Linked(tuple(found), tuple(links.findings))


class _Links:
    """What names lead to, and what was found wrong on the way."""

    def __init__(self, parts: Iterable[SloPart]) -> None:
        every = tuple(parts)
        self._by_key = {part.key: part for part in every}
        found = (part for part in every if isinstance(part, ObjectivePart))
        self.objectives = sorted(found, key=lambda one: (one.key.namespace, one.key.name))
        self.findings: list[Finding] = []

    def linked(self, part: ObjectivePart) -> Iterator[Objective]:
        """An objective for each of a document's bounds; none without its indicator."""
        here = Here(path=("spec",))
        indicator = part.indicator
        if isinstance(indicator, str):
            looked = self._found(IndicatorPart, "SLI", indicator, part.key, here.at("indicatorRef"))
            if looked is None:
                return
            indicator = looked
        rules = tuple(self._rules(part))
        for place, bound in enumerate(part.bounds):
            shared = _shared(indicator, bound)
            if shared is None:
                message = "the indicator has values, and the objective does not say what they are compared with"
                advice = "add op and value, or use a ratioMetric"
                self._tell(part.key, here.at("objectives", place).error("W0298", message, advice))
                continue
            yield Objective(
                key=part.key,
                name=part.key.name,
                service=part.service,
                target=bound.target,
                window=part.window,
                place=place,
                display=bound.display or part.display,
                description=part.description,
                rules=rules,
                **shared,
            )

    def _rules(self, part: ObjectivePart) -> Iterator[AlertRule]:
        if not part.policies:
            yield from (one for one in DEFAULT_RULES if one.long <= part.window)
        for index, policy in enumerate(part.policies):
            here = Here(path=("spec", "alertPolicies", index))
            found = policy
            if isinstance(found, str):
                place = here.at("alertPolicyRef")
                found = self._found(PolicyPart, "AlertPolicy", found, part.key, place) or ""
            if isinstance(found, PolicyPart):
                yield from self._rule(found, part.key)

    def _rule(self, policy: PolicyPart, asking: Key) -> Iterator[AlertRule]:
        here, condition = Here(path=("spec",)), policy.condition
        asked = policy.key if policy.key in self._by_key else asking
        if isinstance(condition, str):
            place = here.at("conditions", 0, "conditionRef")
            looked = self._found(ConditionPart, "AlertCondition", condition, asked, place)
            if looked is None:
                return
            condition = looked
        yield AlertRule(
            name=policy.key.name,
            severity=condition.severity,
            threshold=condition.threshold,
            long=condition.lookback,
            after=condition.after,
            fires=policy.fires,
            resolves=policy.resolves,
            targets=tuple(self._targets(policy, asked)),
        )

    def _targets(self, policy: PolicyPart, asked: Key) -> Iterator[Target]:
        for index, target in enumerate(policy.targets):
            place = Here(path=("spec", "notificationTargets", index, "targetRef"))
            found: TargetPart | str | None = target
            if isinstance(found, str):
                found = self._found(TargetPart, "AlertNotificationTarget", found, asked, place)
            if isinstance(found, TargetPart):
                yield found.target

    def _found(self, kind: type[_P], word: str, name: str, asking: Key, here: Here) -> _P | None:
        key = replace(asking, kind=word, name=name)
        part = self._by_key.get(key)
        if isinstance(part, kind):
            return part
        message = f'there is no {word} "{name[:80]}" in {asking.namespace}'
        self._tell(asking, here.warning("W0298", message, "apply it too, or write it here"))
        return None

    def _tell(self, key: Key, finding: Finding) -> None:
        told = about(key, [finding])[0]
        if told not in self.findings:
            self.findings.append(told)


def _shared(indicator: IndicatorPart, bound: Bound) -> dict[str, Counted] | None:
    """What is counted: of values, those on the right side of the threshold."""
    if indicator.values is None:
        total = indicator.total
        if total is None:
            return None
        side = {"good": indicator.good} if indicator.good is not None else {"bad": indicator.bad}
        return {"total": total, **{name: one for name, one in side.items() if one is not None}}
    if bound.threshold is None:
        return None
    within = replace(indicator.values, within=bound.threshold)
    return {"total": indicator.values, "good" if bound.below else "bad": within}
