"""DestinationRules of one host and namespace become one; PeerAuthentications are put in order."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Labels
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity
from weft.model.security import PeerPolicy
from weft.model.traffic import DestinationPolicy, Subset, TrafficPolicy

_UNSAID = TrafficPolicy()


class Policies(NamedTuple):
    """Policies by namespace and host."""

    policies: dict[tuple[str, str], tuple[DestinationPolicy, ...]]
    findings: tuple[Finding, ...]


class PeerPolicies(NamedTuple):
    """Peer policies, oldest first."""

    policies: tuple[PeerPolicy, ...]
    findings: tuple[Finding, ...]


def linked_policies(policies: Iterable[DestinationPolicy]) -> Policies:
    """Rules of one host, namespace, export and selector merged: subsets together, the first trafficPolicy as a whole.

    Rules with a selector come before the one without: the view takes the first that fits the caller.
    """
    return _linked(tuple(policies))


@memo(8)
def _linked(policies: tuple[DestinationPolicy, ...]) -> Policies:
    groups: dict[tuple[str, str, Labels, frozenset[str]], DestinationPolicy] = {}
    findings: list[Finding] = []
    for policy in sorted(policies, key=lambda policy: policy.origin.precedence):
        key = (policy.namespace, policy.host, policy.workload_selector, _exported(policy))
        first = groups.get(key)
        if first is None:
            groups[key], said = _unique(policy)
        else:
            groups[key], said = _merged(first, policy)
        findings.extend(said)
    by_host: dict[tuple[str, str], tuple[DestinationPolicy, ...]] = {}
    for policy in sorted(groups.values(), key=lambda policy: not policy.workload_selector):
        place = (policy.namespace, policy.host)
        by_host[place] = (*by_host.get(place, ()), policy)
    return Policies(dict(sorted(by_host.items())), tuple(findings))


def _exported(policy: DestinationPolicy) -> frozenset[str]:
    return frozenset(policy.namespace if to == "." else to for to in policy.export_to)


def _unique(policy: DestinationPolicy) -> tuple[DestinationPolicy, list[Finding]]:
    """A rule whose subsets have different names."""
    bare = replace(policy, subsets=())
    subsets, findings = _with_subsets(bare, policy)
    return replace(policy, subsets=subsets), findings


def _merged(first: DestinationPolicy, other: DestinationPolicy) -> tuple[DestinationPolicy, list[Finding]]:
    subsets, findings = _with_subsets(first, other)
    merged = replace(first, subsets=subsets)
    if not _says(other):
        return merged, findings
    if not _says(first):
        return replace(merged, policy=other.policy, ports=other.ports), findings
    message = f"{first.origin.key} has a trafficPolicy for {first.host} already, so this one is ignored"
    findings.append(_warning("W0205", message, other.origin.key, ("spec", "trafficPolicy")))
    return merged, findings


def _says(policy: DestinationPolicy) -> bool:
    return policy.policy != _UNSAID or bool(policy.ports)


def _with_subsets(first: DestinationPolicy, other: DestinationPolicy) -> tuple[tuple[Subset, ...], list[Finding]]:
    subsets = {subset.name: subset for subset in first.subsets}
    findings = []
    for index, subset in enumerate(other.subsets):
        if subset.name in subsets:
            message = f'the subset "{subset.name}" of {other.host} is defined already, so this one is ignored'
            findings.append(_warning("W0204", message, other.origin.key, ("spec", "subsets", index, "name")))
        else:
            subsets[subset.name] = subset
    return tuple(subsets.values()), findings


def linked_peer_policies(policies: Iterable[PeerPolicy]) -> PeerPolicies:
    """Oldest first, which is the order in which they win."""
    ordered = tuple(sorted(policies, key=lambda policy: policy.origin.precedence))
    return PeerPolicies(ordered, tuple(_shadowed(ordered)))


def _shadowed(ordered: Iterable[PeerPolicy]) -> Iterator[Finding]:
    owners: dict[tuple[str, Labels], PeerPolicy] = {}
    for policy in ordered:
        first = owners.setdefault((policy.namespace, policy.selector), policy)
        if first is not policy:
            message = f"{first.origin.key}, which is older, decides for the same workloads, so this is ignored"
            yield _warning("W0209", message, policy.origin.key, ("spec",))


def _warning(code: str, message: str, document: Key, path: Path) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity=Severity.WARNING,
        document=document,
        path=path,
        help="keep one of the two",
        at_key=True,
    )
