"""What link thinks of a part: a condition of its standing, and where it does not hold, a finding at its place."""

from collections.abc import Iterable, Iterator

from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity
from weft.model.standing import Condition


class Verdict(Value):
    """Why a condition does not hold: the ``reason`` of its standing, and the code and the place of its finding."""

    type: str
    reason: str
    message: str
    code: str
    path: Path
    help: str = ""

    @property
    def condition(self) -> Condition:
        """The condition that does not hold."""
        return Condition(type=self.type, holds=False, reason=self.reason, message=self.message)


def condition_of(kind: str, verdicts: Iterable[Verdict], good: str = "") -> Condition:
    """A condition: the first verdict of its type, or that it holds, for the reason ``good`` (its own name)."""
    found = next((one for one in verdicts if one.type == kind), None)
    return found.condition if found else Condition(type=kind, holds=True, reason=good or kind)


def findings_of(document: Key, verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    """The verdicts as findings about a document, each said once."""
    for one in dict.fromkeys(verdicts):
        yield Finding(
            code=one.code,
            message=one.message,
            severity=Severity.WARNING,
            document=document,
            path=one.path,
            help=one.help,
        )
