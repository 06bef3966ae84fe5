"""The parts of foreign kinds that the analyses look at, read leniently: what has not the shape is not there."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from weft.dialects.wire import Many, Strings


class Loose(BaseModel):
    """A message of which only some fields are wanted; ``null`` is unset."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, validate_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, content: Any) -> Any:
        if isinstance(content, dict) and None in content.values():
            return {key: value for key, value in content.items() if value is not None}
        return content


class Metadata(Loose):
    """Object metadata."""

    labels: Strings = {}
    annotations: Strings = {}


class ContainerPort(Loose):
    """A port that a container declares."""

    name: str = ""
    container_port: int = 0
    protocol: str = "TCP"


class Container(Loose):
    """A container."""

    name: str = ""
    ports: Many[ContainerPort] = ()


class PodSpec(Loose):
    """What runs."""

    containers: Many[Container] = ()
    init_containers: Many[Container] = ()
    node_name: str = ""


class PodTemplate(Loose):
    """What a Deployment makes Pods from."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class Templated(Loose):
    """The specification of a Deployment and its like."""

    template: PodTemplate = PodTemplate()


class MatchLabels(Loose):
    """A selector."""

    match_labels: Strings = {}


class TargetReference(Loose):
    """What a policy is attached to."""

    kind: str = ""
    name: str = ""


class Source(Loose):
    """Who calls, in an AuthorizationPolicy."""

    namespaces: Many[str] = ()
    not_namespaces: Many[str] = ()


class From(Loose):
    """An alternative of callers."""

    source: Source = Source()


class AccessRule(Loose):
    """A rule of an AuthorizationPolicy."""

    callers: Many[From] = Field((), alias="from")


class JwtRule(Loose):
    """An issuer of tokens."""

    jwks_uri: str = ""


class Provider(Loose):
    """Who telemetry is sent to."""

    name: str = ""


class TelemetryPart(Loose):
    """Tracing, metrics or access logging."""

    providers: Many[Provider] = ()


class Selecting(Loose):
    """The specification of a policy that picks workloads, whatever else it says."""

    selector: MatchLabels | None = None
    target_ref: TargetReference | None = None
    target_refs: Many[TargetReference] = ()
    rules: Many[AccessRule] = ()
    jwt_rules: Many[JwtRule] = ()
    tracing: Many[TelemetryPart] = ()
    metrics: Many[TelemetryPart] = ()
    access_logging: Many[TelemetryPart] = ()

    @property
    def attached(self) -> bool:
        """Whether it names what it is for."""
        return self.target_ref is not None or bool(self.target_refs)


class Condition(Loose):
    """A word of a controller on a document."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class ParentStatus(Loose):
    """The conditions of one parent of a route."""

    conditions: Many[Condition] = ()


class Status(Loose):
    """What controllers found."""

    conditions: Many[Condition] = ()
    parents: Many[ParentStatus] = ()
    addresses: Many[Any] = ()


class Secret(Loose):
    """The data of a Secret, still in base64."""

    data: dict[str, str] = {}


class Whole(Loose):
    """What every document has."""

    metadata: Metadata = Metadata()
    status: Status = Status()
