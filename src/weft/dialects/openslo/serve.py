"""The kinds of OpenSLO that weft serves, under the name that their documents have: ``openslo/v1``."""

from typing import Any

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.openslo import check
from weft.dialects.openslo import translate as said
from weft.dialects.openslo.types import (
    AlertConditionSpec,
    AlertNotificationTargetSpec,
    AlertPolicySpec,
    ServiceSpec,
    SliSpec,
    SloSpec,
)
from weft.dialects.served import Served

GROUP = "openslo"
VERSIONS = ("v1",)


def _kind(kind: str, plural: str, *columns: Column) -> Kind:
    return Kind(
        group=GROUP,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        versions=VERSIONS,
        categories=(GROUP,),
        columns=(*columns, AGE),
    )


def received(content: dict[str, Any]) -> dict[str, Any]:
    """A document whose ``displayName`` is an annotation."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("displayName"), str):
        return content
    annotations = metadata.get("annotations")
    known = annotations if isinstance(annotations, dict) else {}
    rest = {name: value for name, value in metadata.items() if name != "displayName"}
    named = {**known, said.DISPLAY_NAME: metadata["displayName"]}
    return {**content, "metadata": {**rest, "annotations": named}}


_TARGETS = Column(name="Target", json_path=".spec.objectives[*].target", description="The share that must be good.")
SLO = _kind(
    "SLO",
    "slos",
    Column(name="Service", json_path=".spec.service", description="What it is about."),
    _TARGETS,
    Column(name="Window", json_path=".spec.timeWindow[0].duration", description="How long its budget lasts."),
)
SERVED: tuple[Served, ...] = (
    Served(kind=SLO, spec=SloSpec, check=check.check_slo, translate=said.translate_slo, received=received),
    Served(
        kind=_kind("SLI", "slis"),
        spec=SliSpec,
        check=check.check_sli,
        translate=said.translate_sli,
        received=received,
    ),
    Served(
        kind=_kind("AlertPolicy", "alertpolicies"),
        spec=AlertPolicySpec,
        check=check.check_policy,
        translate=said.translate_policy,
        received=received,
    ),
    Served(
        kind=_kind(
            "AlertCondition",
            "alertconditions",
            Column(name="Severity", json_path=".spec.severity", description="What alerts are called by."),
        ),
        spec=AlertConditionSpec,
        check=check.check_condition,
        translate=said.translate_condition,
        received=received,
    ),
    Served(
        kind=_kind(
            "AlertNotificationTarget",
            "alertnotificationtargets",
            Column(name="Target", json_path=".spec.target", description="What takes alerts there."),
        ),
        spec=AlertNotificationTargetSpec,
        check=check.check_target,
        translate=said.translate_target,
        received=received,
    ),
    Served(
        kind=_kind("Service", "services"),
        spec=ServiceSpec,
        check=check.check_service,
        translate=None,
        received=received,
    ),
)
