"""Istio's own verdicts on documents, compared with ours."""

import re
from typing import Any

import pytest
import yaml

from build_tools.compat.page import PAGE
from tests.dialects.documents import BY_NAME
from tests.dialects.recorded import DATA, lines, needs_data
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
from weft.model.finding import Finding, Severity, field_path

CASES = [case for case in lines("validation/cases.jsonl") if case["kind"] in BY_NAME]
HELPERS = [*lines("validation/helper_cases.jsonl"), *lines("validation/scalar_and_mesh_cases.jsonl")]


def found(case: dict[str, Any]) -> tuple[Finding, ...]:
    """What weft says of a case."""
    return check(BY_NAME[case["kind"]], case["object"])


def verdict(findings: tuple[Finding, ...]) -> str:
    """In Istio's words."""
    severities = {finding.severity for finding in findings}
    return "invalid" if Severity.ERROR in severities else "warning" if Severity.WARNING in severities else "valid"


def agrees(case: dict[str, Any]) -> bool:
    """Istio's API server refuses what its schemas refuse, before istiod is asked."""
    ours = verdict(found(case))
    return ours == case["verdict"] or (ours == "invalid" and case["crd_schema_error"] is not None)


def departures(case: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What makes the verdict another one: kind, field, code."""
    if agrees(case):
        return set()
    findings = found(case)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    return {(case["kind"], _field(finding), finding.code) for finding in errors or findings}


def _field(finding: Finding) -> str:
    return re.sub(r"\[[0-9]+\]", "[]", field_path(finding.path)).removeprefix("spec.")


def named() -> set[tuple[str, str, str]]:
    """The departures that docs/compatibility.md names."""
    page = PAGE.read_text()
    section = page.partition("## Verdicts")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| (\w+) `([^`]+)` \| `(W[0-9]{4})` \|", section, re.MULTILINE))


@needs_data
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_document_gets_the_verdict_that_istio_gives_or_one_that_the_page_names(case: dict[str, Any]) -> None:
    assert departures(case) <= named(), (case["verdict"], case["error"], case["warning"], found(case))


@needs_data
def test_what_the_page_names_is_so() -> None:
    shown = {departure for case in CASES for departure in departures(case)}
    shown |= {departure for document in DOCUMENTS for departure in _refusals(document)}
    assert named() - shown == set(), "take these lines out of docs/compatibility.md, Verdicts: they are as in Istio now"


@needs_data
def test_verdicts_are_those_of_istio_but_for_a_few() -> None:
    modules = {("WasmPlugin", "url", "W0110"), ("TrafficExtension", "wasm.url", "W0110")}
    apart = [case["id"] for case in CASES if not agrees(case) and not departures(case) & modules]
    assert len(CASES) >= 724
    assert len(apart) <= len(CASES) / 100, apart


def _documents() -> list[dict[str, Any]]:
    """Documents that Istio's schemas take or refuse; ``_err`` says what they refuse."""
    folder = DATA / "validation" / "crds"
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one and one["kind"] in BY_NAME]


DOCUMENTS = _documents()


def _refusals(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Why weft refuses a document that Istio's schemas take."""
    content = {name: value for name, value in document.items() if name != "_err"}
    content["metadata"] = {"namespace": "default", **content["metadata"]}
    findings = check(BY_NAME[document["kind"]], content)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if "_err" in document:
        return set() if errors else {(document["kind"], "", "accepted")}
    return {(document["kind"], _field(finding), finding.code) for finding in errors}


@needs_data
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_document_is_refused_when_the_schemas_of_istio_refuse_it(document: dict[str, Any]) -> None:
    assert _refusals(document) <= named(), document.get("_err")


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
