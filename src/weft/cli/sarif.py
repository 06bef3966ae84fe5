"""Findings as SARIF 2.1.0, the format that editors and code hosts read (OASIS, Static Analysis Results Interchange)."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weft.cli.manifests import Manifest
from weft.dialects.codes import CODES
from weft.model.finding import Finding, Severity, field_path

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def sarif(found: Sequence[tuple[Finding, Manifest | None]]) -> dict[str, Any]:
    """A log of one run."""
    codes = sorted({finding.code for finding, _ in found})
    rules = [{"id": code, "shortDescription": {"text": CODES.get(code, code)}} for code in codes]
    driver = {"name": "weft", "version": version("weft"), "rules": rules}
    results = [_result(finding, manifest, codes.index(finding.code)) for finding, manifest in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, manifest: Manifest | None, rule: int) -> dict[str, Any]:
    text = f"{finding.message} (help: {finding.help})" if finding.help else finding.message
    location: dict[str, Any] = {}
    if finding.document is not None or finding.path:
        name = f"{finding.document or ''} {field_path(finding.path)}".strip()
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"}]
    if manifest is not None:
        location["physicalLocation"] = _place(finding, manifest)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
    }
    return result | ({"locations": [location]} if location else {})


def _place(finding: Finding, manifest: Manifest) -> dict[str, Any]:
    place = manifest.yaml.place(manifest.root + finding.path, at_key=finding.at_key)
    region = {"startLine": place.line, "startColumn": place.column, "endColumn": place.column + max(place.width, 1)}
    return {"artifactLocation": {"uri": _uri(manifest.source.name)}, "region": region}


def _uri(name: str) -> str:
    """A file as a URI: relative ones stay so, for what is checked is mostly a repository."""
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
