"""What access policies say of a request, decided here as Envoy decides it, and by which rule.

Written apart from the compiler and without regular expressions: tests hold both, and a real Envoy, against each other.
What a token proves is taken from the question; keys and signatures are not looked at.
"""

from collections.abc import Sequence
from enum import Enum

from weft.explain.ambiguous import ambiguity
from weft.explain.attributes import holds
from weft.explain.question import Question
from weft.kit.value import Value, first
from weft.model.authorization import AccessPolicy, AccessRule, Action, Together
from weft.view.access import Guards, for_connections


class Outcome(Enum):
    """What becomes of the request."""

    ALLOWED = "allowed"
    DENIED = "denied"
    ASKED = "the provider decides"


class Verdict(Value):
    """``policy`` and ``rule`` (its index) decided; neither for what holds by default. ``audited`` and ``tried`` are
    policies that log the request, and what policies that are only tried would do."""

    outcome: Outcome
    why: str
    policy: AccessPolicy | None = None
    rule: int | None = None
    audited: tuple[AccessPolicy, ...] = ()
    tried: tuple[tuple[AccessPolicy, Outcome], ...] = ()


def verdict_of(guards: Guards, question: Question, *, merges_slashes: bool = False) -> Verdict:
    """What a workload's policies say. CUSTOM comes first, then DENY, then ALLOW; any ALLOW policy denies the rest."""
    book = _Book(guards, question)
    decided = _decided(book, merges_slashes)
    audited = tuple(policy for policy in book.of(Action.AUDIT) if book.rule_of(policy) is not None)
    return Verdict(
        outcome=decided.outcome,
        why=decided.why,
        policy=decided.policy,
        rule=decided.rule,
        audited=audited,
        tried=tuple(_tried(book)),
    )


class _Book:
    """Policies that are asked one question."""

    def __init__(self, guards: Guards, question: Question) -> None:
        self.guards = guards
        self.question = question
        self._whole: dict[AccessPolicy, AccessPolicy] = {}

    def of(self, action: Action, *, dry_run: bool = False) -> tuple[AccessPolicy, ...]:
        found = self.guards.of(action, dry_run=dry_run)
        if not self.question.bytes_only:
            return found
        left = for_connections(found)
        self._whole.update(zip(left, found, strict=True))
        return left

    def rule_of(self, policy: AccessPolicy) -> int | None:
        """The first rule of a policy that matches."""
        wide = None if not self.guards.hardened else policy.action is not Action.ALLOW
        supposed = self._whole.get(policy, policy) in self.question.supposed
        return first(index for index, rule in enumerate(policy.rules) if _rule(rule, self.question, wide, supposed))

    def matching(self, action: Action) -> tuple[AccessPolicy, int] | None:
        return first((policy, rule) for policy in self.of(action) if (rule := self.rule_of(policy)) is not None)


def _decided(book: _Book, merges_slashes: bool) -> Verdict:
    guards, question = book.guards, book.question
    if guards.hardened and (sign := ambiguity(guards, question, merges_slashes=merges_slashes)):
        return Verdict(outcome=Outcome.DENIED, why=f"{sign}, which an application may read otherwise than a policy")
    custom = book.matching(Action.CUSTOM)
    if custom is not None and not _can_ask(guards, question):
        if guards.hardened or guards.check is None or guards.check.authorizer is None:
            return _by(custom, Outcome.DENIED, "its provider cannot be asked")
        custom = None
    if (denying := book.matching(Action.DENY)) is not None:
        return _by(denying, Outcome.DENIED, "a DENY policy matches")
    allowing = book.of(Action.ALLOW)
    found = book.matching(Action.ALLOW)
    if allowing and found is None:
        why = f"there are ALLOW policies ({', '.join(policy.name for policy in allowing[:5])}) and none matches"
        return Verdict(outcome=Outcome.DENIED, why=why)
    if custom is not None:
        return _by(custom, Outcome.ASKED, f"{custom[0].provider} is asked, and nothing else denies it")
    if found is not None:
        return _by(found, Outcome.ALLOWED, "an ALLOW policy matches")
    return Verdict(outcome=Outcome.ALLOWED, why="no policy denies it, and there is no ALLOW policy")


def _can_ask(guards: Guards, question: Question) -> bool:
    check = guards.check
    return check is not None and check.authorizer is not None and not (question.bytes_only and check.authorizer.http)


def _by(found: tuple[AccessPolicy, int], outcome: Outcome, why: str) -> Verdict:
    return Verdict(outcome=outcome, why=why, policy=found[0], rule=found[1])


def _tried(book: _Book) -> list[tuple[AccessPolicy, Outcome]]:
    """Policies that are only tried, and what they would do."""
    found = [
        (policy, Outcome.DENIED) for policy in book.of(Action.DENY, dry_run=True) if book.rule_of(policy) is not None
    ]
    allowing = book.of(Action.ALLOW, dry_run=True)
    matched = any(book.rule_of(policy) is not None for policy in allowing)
    return found + [(policy, Outcome.ALLOWED if matched else Outcome.DENIED) for policy in allowing]


def _rule(rule: AccessRule, question: Question, wide: bool | None, supposed: bool) -> bool:
    def one_of(alternatives: Sequence[Together]) -> bool:
        return not alternatives or any(together(each) for each in alternatives)

    def together(conditions: Together) -> bool:
        return all(
            supposed if each.attribute in question.unknown else holds(each, question, wide) for each in conditions
        )

    return one_of(rule.sources) and one_of(rule.operations) and together(rule.when)
