"""What is wrong with a document, as a value: for the CLI, the API's ``Status`` and the editor alike."""

from enum import Enum

from weft.kit.value import Value
from weft.model.document import Key

PathStep = str | int
Path = tuple[PathStep, ...]


class Severity(Enum):
    """Errors refuse a write; warnings and notes are told and the rest is served."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(Value):
    """One thing to mend.

    ``code`` is stable (``W0103``), ``path`` leads from the document's root to the field (``("spec", "http", 0)``);
    ``message`` is lower-case without a final stop; ``help`` says what to do. ``at_key`` puts the caret on the field's
    name rather than on its value (unknown fields).
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    document: Key | None = None
    path: Path = ()
    help: str = ""
    at_key: bool = False


def field_path(path: Path) -> str:
    """A path as Kubernetes writes it: ``spec.http[0].route[1].weight``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
