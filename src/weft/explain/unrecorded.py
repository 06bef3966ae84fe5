"""What recorded calls do not tell, and what may be said of them all the same.

A verdict hangs on whether each policy that asks for something unknown matches. All ways in which that can be are gone
through: what comes out in each of them is so, whatever was not written down.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from weft.explain.reach import node_of
from weft.model.authorization import AccessPolicy, Action, Attribute
from weft.model.mesh import Mesh
from weft.view.access import conditions_of
from weft.view.access_policies import guards_of

_NAMES = {
    Attribute.HEADER: "headers",
    Attribute.REQUEST_PRINCIPAL: "tokens",
    Attribute.AUDIENCE: "tokens",
    Attribute.PRESENTER: "tokens",
    Attribute.CLAIM: "tokens",
    Attribute.REMOTE_IP: "addresses of clients before proxies",
    Attribute.SERVER_NAME: "names that TLS clients ask for",
    Attribute.DESTINATION_IP: "addresses that were called",
    Attribute.METADATA: "what filters told",
}
NOT_RECORDED = frozenset(_NAMES)
_MOST = 5
"""Policies whose ways are gone through: 32 for each kind of call."""


def unsure_policies(mesh: Mesh) -> Mapping[str, tuple[AccessPolicy, ...]]:
    """By workload, ``<name>.<namespace>``, the policies that decide and ask for what is not recorded."""
    found = {
        f"{workload.name}.{workload.namespace}": tuple(
            policy
            for policy in guards_of(mesh, node_of(mesh, workload)).policies
            if not policy.dry_run and policy.action is not Action.AUDIT and asked_of(policy)
        )
        for workload in mesh.workloads
    }
    return {name: policies for name, policies in found.items() if policies}


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


def in_words(policies: Iterable[AccessPolicy]) -> str:
    """What some policies ask for: ``headers and tokens``."""
    names = sorted({_NAMES[attribute] for policy in policies for attribute in asked_of(policy)})
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
