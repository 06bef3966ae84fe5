"""A place in a document from which findings are made."""

from collections.abc import Iterable, Iterator

from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Finding, Path, PathStep, Severity

Findings = Iterator[Finding]


class Here(Value):
    """Where a check is looking."""

    path: Path = ()

    def at(self, *steps: PathStep) -> "Here":
        """A place further down."""
        return Here(path=(*self.path, *steps))

    def error(self, code: str, message: str, advice: str = "", *, at_key: bool = False) -> Finding:
        """Something that refuses the document."""
        return Finding(code=code, message=message, path=self.path, help=advice, at_key=at_key)

    def warning(self, code: str, message: str, advice: str = "", *, at_key: bool = False) -> Finding:
        """Something that is told, the rest being served."""
        return Finding(
            code=code, message=message, severity=Severity.WARNING, path=self.path, help=advice, at_key=at_key
        )

    def note(self, code: str, message: str, advice: str = "") -> Finding:
        """Something worth a look, of which the writer of a document is not told."""
        return Finding(code=code, message=message, severity=Severity.NOTE, path=self.path, help=advice)

    def unserved(self, what: str, advice: str = "") -> Finding:
        """A feature that Istio has and this version of weft has not."""
        advice = advice or "remove the field"
        return self.error("W0110", f"{what} is not served by this version of weft", advice, at_key=True)


def about(key: Key, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, each naming its document."""
    return tuple(
        Finding(
            code=finding.code,
            message=finding.message,
            severity=finding.severity,
            document=key,
            path=finding.path,
            help=finding.help,
            at_key=finding.at_key,
        )
        for finding in findings
    )


def refused(findings: Iterable[Finding]) -> bool:
    """Whether any of them refuses the document."""
    return any(finding.severity is Severity.ERROR for finding in findings)
