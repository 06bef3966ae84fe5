"""What ``istioctl analyze`` names of documents, found by ours on the same documents."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.recorded import DATA, needs_data
from weft.cli.check_files import findings_of
from weft.cli.manifests import manifests_of

FOLDER = DATA / "analyzers"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.is_dir() else []

# Our codes for Istio's, of which one must be told of the document.
CODES = {
    "IST0002": {"W0119"},
    "IST0101": {"W0201", "W0202", "W0210", "W0410", "W0414", "W0421", "W0280"},
    "IST0106": {"W0101", "W0102", "W0105"},
    "IST0107": {"W0402"},
    "IST0108": {"W0401"},
    "IST0109": {"W0430"},
    "IST0110": {"W0411"},
    "IST0111": {"W0411"},
    "IST0112": {"W0207"},
    "IST0116": {"W0454"},
    "IST0118": {"W0452"},
    "IST0125": {"W0403"},
    "IST0127": {"W0410"},
    "IST0128": {"W0440", "W0284"},
    "IST0129": {"W0440", "W0284"},
    "IST0130": {"W0118"},
    "IST0131": {"W0118"},
    "IST0132": {"W0431", "W0210"},
    "IST0134": {"W0450"},
    "IST0135": {"W0404"},
    "IST0137": {"W0455"},
    "IST0138": {"W0423"},
    "IST0140": {"W0433"},
    "IST0145": {"W0422"},
    "IST0149": {"W0434"},
    "IST0150": {"W0453"},
    "IST0151": {"W0460"},
    "IST0152": {"W0461"},
    "IST0153": {"W0461"},
    "IST0154": {"W0461"},
    "IST0155": {"W0460"},
    "IST0157": {"W0415"},
    "IST0159": {"W0411"},
    "IST0160": {"W0411"},
    "IST0161": {"W0424", "W0281"},
    "IST0162": {"W0420"},
    "IST0165": {"W0435"},
    "IST0166": {"W0413"},
    "IST0167": {"W0412"},
    "IST0171": {"W0470"},
    "IST0173": {"W0441"},
    "IST0174": {"W0442"},
    "IST0177": {"W0451"},
}
# About Kubernetes' injection of sidecars, Kubernetes itself or several clusters: weft has none of these.
NOT_OURS = {
    "IST0102", "IST0103", "IST0123", "IST0158",  # injection of sidecars into Pods
    "IST0139", "IST0163", "IST0164",  # webhooks of the injection
    "IST0144",  # a user id of Istio's sidecar in Pods
    "IST0170",  # Services of several clusters
    "IST0176",  # versions of CRDs
}  # fmt: skip


def told(case: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """Our codes by kind and name."""
    names = tuple(str(FOLDER / name) for name in case["inputs"] or ())
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for finding, manifest in findings_of(manifests_of(names, recursive=False), "default", together=True):
        assert manifest is not None
        found[manifest.kind, f"{manifest.namespace or 'default'}/{manifest.name}"].add(finding.code)
    return found


def origin(text: str) -> tuple[str, str]:
    """``VirtualService foo/bar``, or without the namespace."""
    kind, _, name = text.partition(" ")
    return kind, name if "/" in name else f"default/{name}"


OURS = [case for case in CASES if not case["expected"] or {one["code"] for one in case["expected"]} - NOT_OURS]


@needs_data
@pytest.mark.parametrize("case", OURS, ids=lambda case: case["name"])
def test_each_problem_is_found_on_its_document_and_on_no_other(case: dict[str, Any]) -> None:
    ours = told(case)
    expected: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for one in case["expected"]:
        if one["code"] not in NOT_OURS:
            expected[one["code"]].add(origin(one["origin"]))
    for code, documents in expected.items():
        found = {document for document, codes in ours.items() if codes & CODES[code]}
        assert documents <= found, (code, dict(ours))


@needs_data
def test_what_istio_does_not_report_is_not_reported_as_a_problem_of_the_kind_that_was_looked_for() -> None:
    quiet = [case for case in CASES if not case["expected"] and case["inputs"]]
    looked = {
        "PortNameAnalyzer": {"W0452"},
        "ConflictingGatewayAnalyzer": {"W0422"},
        "IngressGatewayPortAnalyzer": {"W0420"},
        "CaCertificateAnalyzer": {"W0440"},
        "SubsetSelectPodAnalyzer": {"W0441"},
        "EnvoyPatchAnalyzer": {"W0460", "W0461"},
        "MultiServiceAnalyzer": {"W0454", "W0455"},
    }
    assert quiet
    for case in quiet:
        unwanted = looked.get(case["analyzer"].partition(".")[2], set())
        assert not any(codes & unwanted for codes in told(case).values()), case["name"]


def test_documents_of_kubernetes_are_read_for_what_they_say_of_workloads(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        "spec: {template: {metadata: {labels: {app: web}}}}\n"
        "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: one}\n"
        "spec: {workloadSelector: {labels: {app: web}}, egress: [{hosts: [./*]}]}\n"
        "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: two}\n"
        "spec: {workloadSelector: {labels: {app: wob}}, egress: [{hosts: [./*]}]}\n"
    )
    found = findings_of(manifests_of((str(file),), recursive=False), "default", together=True)
    assert [(finding.code, manifest.name) for finding, manifest in found if manifest] == [("W0410", "two")]


def test_what_is_wrong_in_one_place_does_not_hide_what_is_wrong_in_another(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: broken}\n"
        "spec:\n  hosts: [web]\n  http:\n    - route:\n        - {}\n        - destination: {host: nowhere}\n"
    )
    found = findings_of(manifests_of((str(file),), recursive=False), "default", together=True)
    assert {finding.code for finding, _ in found} == {"W0105", "W0201"}
    assert ("spec", "http", 0, "route", 1, "destination", "host") in {finding.path for finding, _ in found}
