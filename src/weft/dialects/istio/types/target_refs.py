"""What a policy of Istio is attached to."""

from weft.dialects.wire import Wire, needed, unset


class PolicyTargetReference(Wire):
    """A resource that a policy is for, instead of workloads by their labels."""

    group: str | None = unset("API group of the resource.", max_length=253)
    kind: str = needed("Kind of the resource.", min_length=1, max_length=63)
    name: str = needed("Name of the resource.", min_length=1, max_length=253)
    namespace: str | None = unset("Namespace of the resource, its own.")
