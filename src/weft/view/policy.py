"""Which destination rule holds for a caller and a host, and what it says of a subset's port.

Istio's levels: the caller's namespace (unless it is the root namespace), the service's, the root namespace; the first
with a match wins and nothing is merged across. In a level the most specific host wins. Source: Istio
``DestinationRule``.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Labels, Value, first, includes
from weft.model.service import visible
from weft.model.settings import Settings
from weft.model.traffic import ConnectionPool, DestinationPolicy, LoadBalancer, PortPolicies, Subset, TrafficPolicy

Policies = Mapping[tuple[str, str], tuple[DestinationPolicy, ...]]


class Caller(Value):
    """Who looks: a namespace, those labels that rules ask for, and the locality where a rule prefers what is near.

    ``peers``: how many workloads of its own services are in each zone, where a rule shares calls among zones.
    """

    namespace: str
    labels: Labels = ()
    locality: str = ""
    peers: tuple[tuple[str, int], ...] = ()


def covers(pattern: str, host: str) -> bool:
    """Whether a host or wildcard (``*.shop.svc.cluster.local``, ``*``) names a host."""
    return host.endswith(pattern[1:]) if pattern.startswith("*") else pattern == host


class PolicyBook:
    """All destination rules, for looking up by caller and host."""

    def __init__(self, policies: Policies, settings: Settings) -> None:
        self._policies = policies
        self._root = settings.root_namespace
        self._namespaces = {namespace for namespace, _ in policies}
        self._wildcards: dict[str, list[str]] = {}
        for namespace, host in sorted(policies, key=lambda key: -len(key[1])):
            if host.startswith("*"):
                self._wildcards.setdefault(namespace, []).append(host)

    def policy_of(self, caller: Caller, host: str, service_namespace: str) -> DestinationPolicy | None:
        """The rule that the caller's proxy follows for a host."""
        levels = [] if caller.namespace == self._root else [caller.namespace]
        levels += [service_namespace, self._root]
        for level in levels:
            if level in self._namespaces and (found := self._in_level(caller, host, level)) is not None:
                return found
        return None

    def _in_level(self, caller: Caller, host: str, namespace: str) -> DestinationPolicy | None:
        patterns = [host, *(name for name in self._wildcards.get(namespace, ()) if covers(name, host))]
        for pattern in patterns:
            candidates = self._policies.get((namespace, pattern), ())
            selective = first(policy for policy in candidates if _selects(policy, caller))
            found = selective or first(policy for policy in candidates if _reaches(policy, caller))
            if found is not None:
                return found
        return None


def _selects(policy: DestinationPolicy, caller: Caller) -> bool:
    if not policy.workload_selector or policy.namespace != caller.namespace:
        return False
    return includes(caller.labels, policy.workload_selector)


def _reaches(policy: DestinationPolicy, caller: Caller) -> bool:
    return not policy.workload_selector and visible(policy.export_to, policy.namespace, caller.namespace)


def traffic_policy(rule: DestinationPolicy | None, port: int, subset: Subset | None = None) -> TrafficPolicy:
    """What a rule says of a port: destination, its port, subset, the subset's port, each over the one before."""
    if rule is None:
        return TrafficPolicy()
    outcome = _over(TrafficPolicy(), rule.policy, rule.ports, port)
    return outcome if subset is None else _over(outcome, subset.policy, subset.ports, port)


@memo(8)
def mesh_policy(settings: Settings) -> TrafficPolicy:
    """What the mesh's settings say where no rule does."""
    return with_defaults(TrafficPolicy(), settings)


def with_defaults(policy: TrafficPolicy, settings: Settings) -> TrafficPolicy:
    """A policy with what the mesh's settings say of what it leaves out."""
    balancer, pool = policy.load_balancer, policy.connection_pool or settings.default_pool
    if settings.locality is not None and (balancer is None or balancer.locality is None):
        balancer = replace(balancer or LoadBalancer(), locality=settings.locality)
    if settings.keepalive is not None and (pool is None or pool.keepalive is None):
        pool = replace(pool or ConnectionPool(), keepalive=settings.keepalive)
    return replace(
        policy,
        load_balancer=balancer,
        connection_pool=pool,
        outlier_detection=policy.outlier_detection or settings.default_outliers,
    )


def _over(below: TrafficPolicy, above: TrafficPolicy, ports: PortPolicies, port: int) -> TrafficPolicy:
    """Blocks override one by one; a port's policy replaces them all but those that it cannot have."""
    for_port = first(policy for number, policy in ports if number == port)
    merged = TrafficPolicy(
        load_balancer=above.load_balancer or below.load_balancer,
        connection_pool=above.connection_pool or below.connection_pool,
        outlier_detection=above.outlier_detection or below.outlier_detection,
        tls=above.tls or below.tls,
        retry_budget=above.retry_budget or below.retry_budget,
        proxy_protocol=above.proxy_protocol or below.proxy_protocol,
        tunnel=above.tunnel or below.tunnel,
    )
    if for_port is None:
        return merged
    return replace(
        for_port, retry_budget=merged.retry_budget, proxy_protocol=merged.proxy_protocol, tunnel=merged.tunnel
    )
