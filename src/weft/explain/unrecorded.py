"""What recorded calls do not tell, and what may be said of them all the same.

A verdict hangs on whether each policy that asks for something unknown matches. All ways in which that can be are gone
through: what comes out in each of them is so, whatever was not written down.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from weft.explain.arrivals import node_of
from weft.explain.reach import TOKENS
from weft.kit.value import Value
from weft.model.authentication import TokenRule
from weft.model.authorization import AccessPolicy, Action, Attribute
from weft.model.mesh import Mesh
from weft.view.access import Guards, conditions_of
from weft.view.access_policies import guards_of

_NAMES = {
    Attribute.HEADER: "headers",
    Attribute.REQUEST_PRINCIPAL: "tokens",
    Attribute.AUDIENCE: "tokens",
    Attribute.PRESENTER: "tokens",
    Attribute.CLAIM: "tokens",
    Attribute.METADATA: "what filters told",
}
NOT_RECORDED = frozenset(_NAMES)
_MOST = 5
"""Policies whose ways are gone through: 32 for each kind of call."""


class Unsure(Value):
    """Of a workload: the policies that decide and ask for what is not recorded, and the tokens that it looks at."""

    policies: tuple[AccessPolicy, ...] = ()
    tokens: tuple[TokenRule, ...] = ()


def unsure_of(mesh: Mesh) -> Mapping[str, Unsure]:
    """By workload, ``<name>.<namespace>``, what makes verdicts of recorded calls unsure."""
    found = {f"{one.name}.{one.namespace}": _unsure(guards_of(mesh, node_of(mesh, one))) for one in mesh.workloads}
    return {name: unsure for name, unsure in found.items() if unsure != Unsure()}


def _unsure(guards: Guards) -> Unsure:
    missing = NOT_RECORDED if guards.tokens else NOT_RECORDED - TOKENS
    policies = tuple(
        one for one in guards.policies if not one.dry_run and one.action is not Action.AUDIT and asked_of(one) & missing
    )
    return Unsure(policies=policies, tokens=guards.tokens)


def asked_of(policy: AccessPolicy) -> frozenset[Attribute]:
    """What a policy asks for of what is not recorded."""
    return frozenset(one.attribute for rule in policy.rules for one in conditions_of(rule)) & NOT_RECORDED


def suppositions(policies: Iterable[AccessPolicy]) -> Iterator[frozenset[AccessPolicy]]:
    """Every way in which what policies ask for may hold; none if there are too many."""
    every = tuple(dict.fromkeys(policies))
    if len(every) > _MOST:
        return
    for chosen in product((False, True), repeat=len(every)):
        yield frozenset(policy for policy, holds in zip(every, chosen, strict=True) if holds)


def in_words(policies: Iterable[AccessPolicy], *, tokens: bool = False) -> str:
    """What some policies ask for: ``headers and tokens``; ``tokens``: these in any case."""
    found = {_NAMES[attribute] for policy in policies for attribute in asked_of(policy)}
    names = sorted(found | ({"tokens"} if tokens else set()))
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
