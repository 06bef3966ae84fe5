"""Mutual TLS of a workload's port after inheritance: Istio's ``PeerAuthentication``.

The oldest policy of a level counts: mesh (root namespace, no selector), namespace, workload (selector), then the
workload policy's own ports. Workload policies of the root namespace are ignored. Source: Istio ``PeerAuthentication``.
"""

from collections.abc import Iterable

from weft.kit.value import Labels, Value, first, includes
from weft.model.security import MtlsMode, PeerPolicy

DEFAULT_MODE = MtlsMode.PERMISSIVE


class PeerRules(Value):
    """The policies that can matter in one namespace: ``mode`` is the namespace's, ``selective`` are oldest first."""

    mode: MtlsMode = DEFAULT_MODE
    selective: tuple[PeerPolicy, ...] = ()

    def mode_of(self, labels: Labels, ports: Iterable[int] = ()) -> MtlsMode:
        """The mode of a workload's port. ``ports`` are the numbers it goes by: the first that is named counts."""
        policy = first(policy for policy in self.selective if includes(labels, policy.selector))
        if policy is None:
            return self.mode
        return _port_mode(policy, ports) or policy.mode or self.mode

    def ports_named(self, labels: Labels) -> tuple[int, ...]:
        """The ports of a workload for which a mode of their own is named."""
        policy = first(policy for policy in self.selective if includes(labels, policy.selector))
        return tuple(number for number, _ in policy.ports) if policy else ()


def peer_rules(policies: Iterable[PeerPolicy], namespace: str, root_namespace: str) -> PeerRules:
    """What holds in a namespace."""
    ordered = sorted(policies, key=lambda policy: policy.origin.precedence)
    root = first(policy for policy in ordered if policy.namespace == root_namespace and not policy.selector)
    own = [policy for policy in ordered if policy.namespace == namespace != root_namespace]
    unselective = first(policy for policy in own if not policy.selector)
    inherited = (root.mode if root else None) or DEFAULT_MODE
    return PeerRules(
        mode=(unselective.mode if unselective else None) or inherited,
        selective=tuple(policy for policy in own if policy.selector),
    )


def _port_mode(policy: PeerPolicy, ports: Iterable[int]) -> MtlsMode | None:
    named = dict(policy.ports)
    return first(mode for port in ports if (mode := named.get(port)) is not None)
