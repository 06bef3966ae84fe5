"""Findings as the user sees them: code, sentence, the place in the file with a caret, help."""

from collections.abc import Iterable

from weft.cli.manifests import Manifest
from weft.cli.talk import coloured, say
from weft.kit.caret import caret
from weft.model.finding import Finding, Severity, field_path


def finding_text(finding: Finding, manifest: Manifest | None) -> str:
    """One finding; without a manifest it names the document instead of a place."""
    label = finding.severity.value
    parts = [f"{coloured(f'{label}[{finding.code}]', label)}: {finding.message}"]
    if manifest is not None:
        parts.append(_place(finding, manifest))
    elif finding.document is not None:
        path = field_path(finding.path)
        parts.append(f"  --> {finding.document}" + (f"  ({path})" if path else ""))
    if finding.help:
        parts.append(f"{coloured('help')}: {finding.help}")
    return "\n".join(parts)


def tell(findings: Iterable[tuple[Finding, Manifest | None]]) -> tuple[int, int]:
    """Show findings and return how many are errors and how many are warnings."""
    errors = warnings = 0
    for finding, manifest in findings:
        say(finding_text(finding, manifest) + "\n")
        errors += finding.severity is Severity.ERROR
        warnings += finding.severity is Severity.WARNING
    return errors, warnings


def _place(finding: Finding, manifest: Manifest) -> str:
    """The line and what is in it; of a Secret the line alone, for terminals and build logs keep what they show."""
    place = manifest.yaml.place(manifest.root + finding.path, at_key=finding.at_key)
    lines = [] if manifest.kind == "Secret" else manifest.source.text.splitlines()
    return caret(manifest.source.name, lines, place.line, place.column, place.width, field_path(finding.path))
