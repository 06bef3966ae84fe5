"""What several kinds of Gateway API share: references, label selectors, listeners' audiences."""

from typing import Annotated, Any, Literal

from pydantic import Field

from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset

GROUP = "gateway.networking.k8s.io"

Name = Annotated[str, Field(min_length=1, max_length=253)]
Namespace = Annotated[str, Field(min_length=1, max_length=63)]
Group = Annotated[str, Field(max_length=253)]
KindName = Annotated[str, Field(min_length=1, max_length=63)]
PortNumber = Annotated[int, Field(ge=1, le=65_535)]
Hostname = Annotated[str, Field(min_length=1, max_length=253)]


class ParentReference(Wire):
    """What a route attaches to: a Gateway or ListenerSet with its listeners, or a Service and its callers."""

    group: Group | None = unset("Group of the parent, gateway.networking.k8s.io if unset; empty for a Service.")
    kind: KindName | None = unset("Kind of the parent, Gateway if unset.")
    namespace: Namespace | None = unset("Namespace of the parent, the route's if unset.")
    name: Name = needed("Name of the parent.")
    section_name: Name | None = unset("Name of a listener; all of them if unset.")
    port: PortNumber | None = unset("Port of listeners, or of the Service; all of them if unset.")


class ObjectReference(Wire):
    """An object of any kind."""

    group: Group = needed("Group of the object, empty for the core.")
    kind: KindName = needed("Kind of the object.")
    name: Name = needed("Name of the object.")
    namespace: Namespace | None = unset("Namespace of the object, this one's if unset.")


class LocalObjectReference(Wire):
    """An object of the same namespace."""

    group: Group = needed("Group of the object, empty for the core.")
    kind: KindName = needed("Kind of the object.")
    name: Name = needed("Name of the object.")


class SecretObjectReference(Wire):
    """A Secret."""

    group: Group | None = unset("Group of the object, the core if unset.")
    kind: KindName | None = unset("Kind of the object, Secret if unset.")
    name: Name = needed("Name of the object.")
    namespace: Namespace | None = unset("Namespace of the object, this one's if unset.")


class BackendObjectReference(Wire):
    """A Service's port."""

    group: Group | None = unset("Group of the backend, the core if unset.")
    kind: KindName | None = unset("Kind of the backend, Service if unset.")
    name: Name = needed("Name of the backend.")
    namespace: Namespace | None = unset("Namespace of the backend, the route's if unset.")
    port: PortNumber | None = unset("Port of the Service.")


class LabelSelectorRequirement(Wire):
    """A condition on a label."""

    key: str = needed("Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = needed("What must hold of its value.")
    values: Many[str] = items("Values, for In and NotIn.")


class LabelSelector(Wire):
    """Conditions on labels, all of which must hold; without any, everything is selected."""

    match_labels: Strings = mapping("Labels that must be there.")
    match_expressions: Many[LabelSelectorRequirement] = items("Further conditions.")


class CommonRouteSpec(Wire):
    """What every kind of route has."""

    parent_refs: Many[ParentReference] = items("What the route attaches to.", max_length=32)
    use_default_gateways: Literal["All", "None"] | None = unset("Whether it attaches to default Gateways too.")


class LocalParametersReference(Wire):
    """Parameters of the same namespace."""

    group: Group = needed("Group of the object.")
    kind: KindName = needed("Kind of the object.")
    name: Name = needed("Name of the object.")


def free(description: str) -> Any:
    """Keys and values that implementations define."""
    return mapping(description)
