"""How documents are: what is wrong with them, by namespace."""

from collections.abc import Iterable, Iterator

from weft.model.finding import Finding, Severity
from weft.model.health import Check, Level

GROUP = "documents"
_LEVELS = {Severity.ERROR: Level.FAIL, Severity.WARNING: Level.WARN}


def sound(findings: Iterable[Finding]) -> Iterator[Check]:
    """A check for each finding that is more than a note; one line where there is none."""
    worse = [one for one in findings if one.severity in _LEVELS]
    if not worse:
        yield Check(name="documents", group=GROUP, level=Level.OK, message="nothing is wrong with the documents")
    for one in worse:
        where = f" in {one.document}" if one.document else ""
        yield Check(
            name=f"document-{one.code}",
            group=GROUP,
            level=_LEVELS[one.severity],
            message=f"[{one.code}] {one.message}{where}",
            help=one.help,
            namespace=one.document.namespace if one.document else "",
        )
