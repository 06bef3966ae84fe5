"""What a policy is attached to (Gateway API: ``LocalPolicyTargetReferenceWithSectionName``), or whose workloads."""

from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset


class TargetRef(Wire):
    """A document of the policy's own namespace."""

    group: str | None = unset("The API group of the target; empty for a Service.")
    kind: str = needed("Service, ServiceEntry, Gateway, VirtualService, HTTPRoute, ...")
    name: str = needed("The name of the target.")
    section_name: str | None = unset("A part of it: a port, a listener, a rule of a route. Without it, all of it.")


class Selector(Wire):
    """Workloads by their labels."""

    match_labels: Strings = mapping("Labels that the workloads have; none of them means all workloads.")


class Attached(Wire):
    """What every policy says first."""

    target_refs: Many[TargetRef] = items("What the policy is for.", max_length=64)


class Selecting(Attached):
    """What a policy says first that can also be for workloads by their labels."""

    selector: Selector | None = unset("The workloads of the namespace that the policy is for, instead of targetRefs.")
