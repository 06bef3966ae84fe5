"""What stands before an application: the policies that hold for its proxy, in the form in which they are compiled.

A value of its own, so that an explanation and the compiler look at the same thing.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from weft.kit.value import Value
from weft.model.authentication import KeySet, TokenRule
from weft.model.authorization import (
    HTTP_ONLY,
    AccessPolicy,
    AccessRule,
    Action,
    Attribute,
    Condition,
    Pattern,
    Suffix,
    Together,
)
from weft.model.match import Exact
from weft.model.provider import Authorizer

_CLUSTER_LOCAL = "cluster.local"


class Check(Value):
    """Who decides for CUSTOM policies. Without ``authorizer`` nobody can be asked, and what would be is denied.

    ``host`` and ``port`` are the service's that is asked.
    """

    provider: str
    authorizer: Authorizer | None = None
    host: str = ""
    port: int = 0


class Guards(Value):
    """``policies`` are by name, principals among them in every trust domain that is the mesh's.

    ``hardened``: what can be read in two ways is refused where a policy reads it. ``keys`` are those that are known.
    """

    trust_domains: tuple[str, ...] = ()
    policies: tuple[AccessPolicy, ...] = ()
    check: Check | None = None
    tokens: tuple[TokenRule, ...] = ()
    keys: tuple[KeySet, ...] = ()
    hardened: bool = True

    def of(self, action: Action, *, dry_run: bool = False) -> tuple[AccessPolicy, ...]:
        """The policies of one action, those that decide or those that are only tried."""
        return tuple(one for one in self.policies if one.action is action and one.dry_run is dry_run)

    @property
    def ports_named(self) -> tuple[int, ...]:
        """The ports that policies ask for by number."""
        togethers = (
            together
            for policy in self.policies
            for rule in policy.rules
            for together in (*rule.sources, *rule.operations, rule.when)
        )
        asked = (one for together in togethers for one in together if one.attribute is Attribute.DESTINATION_PORT)
        patterns = (pattern for one in asked for pattern in (*one.any_of, *one.none_of))
        return tuple(sorted({int(one.value) for one in patterns if isinstance(one, Exact)}))

    def reads(self, *attributes: Attribute) -> bool:
        """Whether a policy that decides asks for one of some attributes."""
        return any(
            condition.attribute in attributes
            for policy in self.policies
            if not policy.dry_run and policy.action is not Action.AUDIT
            for rule in policy.rules
            for condition in conditions_of(rule)
        )


NO_GUARDS = Guards()


def conditions_of(rule: AccessRule) -> Iterable[Condition]:
    """Every condition of a rule."""
    for together in (*rule.sources, *rule.operations, rule.when):
        yield from together


def in_trust_domains(policy: AccessPolicy, trust_domains: tuple[str, ...]) -> AccessPolicy:
    """A policy whose principals of one of the mesh's trust domains stand for those of all (Istio: ``trustdomain``)."""
    return _rewritten(policy, lambda condition: _in_trust_domains(condition, trust_domains))


def _rewritten(policy: AccessPolicy, change: Callable[[Condition], Condition]) -> AccessPolicy:
    def together(conditions: Together) -> Together:
        return tuple(change(one) for one in conditions)

    rules = tuple(
        AccessRule(
            sources=tuple(together(one) for one in rule.sources),
            operations=tuple(together(one) for one in rule.operations),
            when=together(rule.when),
        )
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


def _in_trust_domains(condition: Condition, trust_domains: tuple[str, ...]) -> Condition:
    if condition.attribute is not Attribute.PRINCIPAL:
        return condition
    return replace(
        condition,
        any_of=_spellings(condition.any_of, trust_domains),
        none_of=_spellings(condition.none_of, trust_domains),
    )


def _spellings(patterns: tuple[Pattern, ...], trust_domains: tuple[str, ...]) -> tuple[Pattern, ...]:
    return tuple(dict.fromkeys(one for pattern in patterns for one in _in_each(pattern, trust_domains)))


def _in_each(pattern: Pattern, trust_domains: tuple[str, ...]) -> tuple[Pattern, ...]:
    """A whole identity of the mesh is meant in each of its trust domains; ``cluster.local`` always is the mesh's."""
    if not isinstance(pattern, Exact | Suffix):
        return (pattern,)
    wild = "*" if isinstance(pattern, Suffix) else ""
    own, *rest = f"{wild}{pattern.value}".split("/")
    if len(rest) != 4 or own == "*":
        return (pattern,)
    if own != _CLUSTER_LOCAL and not any(_is_named(own, one) for one in trust_domains):
        return (pattern,)
    path = "/".join(rest)
    return tuple(pattern if _is_named(own, one) else Exact(value=f"{one}/{path}") for one in trust_domains)


def _is_named(written: str, trust_domain: str) -> bool:
    return trust_domain.endswith(written[1:]) if written.startswith("*") else trust_domain == written


def for_connections(policies: Iterable[AccessPolicy]) -> tuple[AccessPolicy, ...]:
    """The policies where there are bytes and no requests (Istio): a rule of ALLOW that asks for what only requests
    have cannot be met, so it goes; rules of the others ask for the rest, so they match more."""
    return tuple(_for_connections(policy) for policy in policies)


def _for_connections(policy: AccessPolicy) -> AccessPolicy:
    if policy.action is Action.ALLOW:
        kept = tuple(rule for rule in policy.rules if not any(_is_http(one) for one in conditions_of(rule)))
        return replace(policy, rules=kept)
    rules = tuple(
        AccessRule(
            sources=tuple(_without_http(one) for one in rule.sources),
            operations=tuple(_without_http(one) for one in rule.operations),
            when=_without_http(rule.when),
        )
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


def _is_http(condition: Condition) -> bool:
    return condition.attribute in HTTP_ONLY


def _without_http(conditions: Together) -> Together:
    return tuple(one for one in conditions if not _is_http(one))
