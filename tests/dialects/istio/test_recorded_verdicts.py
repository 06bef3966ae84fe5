"""Istio's own verdicts on documents, compared with ours."""

from collections import Counter
from typing import Any

import pytest

from tests.dialects.documents import BY_NAME
from tests.dialects.recorded import lines, needs_data
from weft.dialects.exports import check_export_to
from weft.dialects.findings import Here
from weft.dialects.istio.checks.common import check_duration
from weft.dialects.istio.checks.headers import check_header_name, check_header_value
from weft.dialects.istio.checks.http_action import check_status
from weft.dialects.istio.checks.locality import check_localities
from weft.dialects.istio.checks.tls import check_tls
from weft.dialects.istio.checks.virtual_service import fault_in_host
from weft.dialects.istio.types.destination_rule import ClientTls
from weft.dialects.syntax import fault_in_wildcard_domain, is_ip
from weft.dialects.translate import check
from weft.model.finding import Severity

CASES = [case for case in lines("validation/cases.jsonl") if case["kind"] in BY_NAME]
HELPERS = [*lines("validation/helper_cases.jsonl"), *lines("validation/scalar_and_mesh_cases.jsonl")]


def verdict(case: dict[str, Any]) -> tuple[str, frozenset[str]]:
    """Ours, and the codes that led to it."""
    findings = check(BY_NAME[case["kind"]], case["object"])
    for severity, word in ((Severity.ERROR, "invalid"), (Severity.WARNING, "warning")):
        said = frozenset(finding.code for finding in findings if finding.severity is severity)
        if said:
            return word, said
    return "valid", frozenset()


def departs_on_purpose(case: dict[str, Any]) -> frozenset[str]:
    """W0110 refuses by name what is not served; W0103 tells of weights that do not add up, where Istio is silent."""
    ours, said = verdict(case)
    if ours != case["verdict"] and said in ({"W0110"}, {"W0103"}):
        return said
    return frozenset()


@needs_data
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_document_gets_the_verdict_that_istio_gives(case: dict[str, Any]) -> None:
    ours, said = verdict(case)
    assert departs_on_purpose(case) or ours == case["verdict"], (said, case["error"], case["warning"])


@needs_data
def test_departures_from_istio_are_counted() -> None:
    departures = Counter(code for case in CASES for code in departs_on_purpose(case))
    assert departures == {"W0110": 24, "W0103": 6}
    assert len(CASES) == 538


def _said(case: dict[str, Any]) -> bool | None:  # noqa: C901  one line for each function
    """Whether ours refuses the arguments of one of Istio's functions; ``None`` for functions that weft has not."""
    values = [argument["value"] for argument in case["args"]]
    match case["func"]:
        case "ValidateHTTPHeaderNameOrJwtClaimRoute":
            return any(check_header_name(Here(), values[0]))
        case "validateHTTPStatus":
            return any(check_status(Here(), values[0]))
        case "validateExportTo":
            namespace, export_to, nobody, selective = values
            entries = export_to or []
            return any(check_export_to(Here(), entries, namespace, nobody_allowed=nobody, selective=selective))
        case "ValidateHTTPHeaderValue":
            return any(check_header_value(Here(), values[0]))
        case "ValidateDuration" if isinstance(values[0], str):
            return any(check_duration(Here(), values[0]))
        case "ValidateTLS":
            findings = check_tls(Here(), ClientTls.model_validate(values[1]))
            return any(finding.code != "W0110" for finding in findings)
        case "validateLocalities":
            return any(check_localities(Here(), tuple(values[0])))
        case "ValidateWildcardDomain":
            return bool(fault_in_wildcard_domain(values[0]))
        case "ValidateWildcardDomainForVirtualServiceBoundToGateway":
            return bool(fault_in_host(values[1], on_gateways=values[0]))
        case "ValidateIPAddress":
            return not is_ip(values[0])
    return None


@needs_data
@pytest.mark.parametrize("case", [case for case in HELPERS if _said(case) is not None], ids=lambda case: case["func"])
def test_a_value_is_refused_when_istio_refuses_it(case: dict[str, Any]) -> None:
    assert _said(case) == bool(case["error"]), case


@needs_data
def test_functions_of_istio_that_weft_has_not_are_those_of_what_it_does_not_serve() -> None:
    skipped = {case["func"] for case in HELPERS if _said(case) is None}
    assert skipped == {
        "ValidateDuration",  # of a duration that JSON cannot hold
        "ValidateDrainDuration",
        "ValidateMeshNetworks",
        "ValidateProtocolDetectionTimeout",
        "ValidateZoneAwareLbSetting",
        "validateServiceSettings",
    }
