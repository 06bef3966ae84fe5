"""What a service asks of its callers by itself, where no rule says otherwise (Kubernetes ``sessionAffinity`` and
``trafficDistribution``). What rules say comes first, what the mesh says last, as in Istio."""

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.model.service import Service
from weft.model.traffic import ConsistentHash, HashClient, LoadBalancer, LocalityPreference, TrafficPolicy

_BY_CLIENT = ConsistentHash(key=HashClient())


@memo(16384)
def asked_by(service: Service | None, policy: TrafficPolicy) -> TrafficPolicy:
    """The policy of a rule, with what the service asks in the place of what it leaves out."""
    if service is None or not (service.client_affinity or service.near):
        return policy
    balancer = policy.load_balancer
    if balancer is None:
        balancer = LoadBalancer(algorithm=_BY_CLIENT) if service.client_affinity else LoadBalancer()
    if service.near and balancer.locality is None:
        balancer = replace(balancer, locality=LocalityPreference(labels=service.near, always=True))
    return replace(policy, load_balancer=balancer)
