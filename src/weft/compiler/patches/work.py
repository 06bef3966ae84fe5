"""The patches that concern one resource, and what is found when they are made."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

from weft.compiler.patches.merging import TypesDiffer
from weft.compiler.patches.messages import Fault, encoded, message_of
from weft.kit.value import Value
from weft.model.extension import Context, Patch, PatchOperation, PatchTarget
from weft.model.finding import Finding, Path, Severity

M = TypeVar("M", bound=Message)

_INSERTS = (PatchOperation.INSERT_BEFORE, PatchOperation.INSERT_AFTER, PatchOperation.INSERT_FIRST)
NEW = (PatchOperation.ADD, PatchOperation.REPLACE, *_INSERTS)
"""Operations whose value stands alone afterwards."""


class Place(Value):
    """What a resource is, in the words that patches match: its side, the port that callers name (0: several or none),
    the services behind it, and other names that it goes by.
    """

    context: Context
    port: int = 0
    hosts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Work:
    """Patches of one context, in order, and what is found."""

    def __init__(self, patches: Iterable[Patch], place: Place) -> None:
        self.place = place
        self.findings: list[Finding] = []
        self._patches = [one for one in patches if one.context in (Context.ANY, place.context)]

    @property
    def idle(self) -> bool:
        """Whether no patch is of this context."""
        return not self._patches

    def of(self, target: PatchTarget, *operations: PatchOperation) -> Iterator[Patch]:
        """The patches of a kind of thing, those of some operations if any are named."""
        for one in self._patches:
            if one.target is target and (not operations or one.operation in operations):
                yield one

    def of_any(self, operation: PatchOperation) -> Iterator[Patch]:
        """The patches of an operation, whatever they are for."""
        return (one for one in self._patches if one.operation is operation)

    def value(self, patch: Patch, kind: type[M]) -> M:
        """The patch's message, to keep."""
        content = encoded(patch.target, patch.value)
        assert not isinstance(content, Fault)
        message = message_of(patch.target, content)
        assert isinstance(message, kind)
        return message

    def attempt(self, patch: Patch, change: Callable[[], None]) -> None:
        """Make a change; one that cannot be made is found, and nothing else is disturbed."""
        try:
            change()
        except TypesDiffer as wrong:
            self.left_out(patch, str(wrong))

    def left_out(self, patch: Patch, why: str) -> None:
        """Tell that a patch is not made."""
        self.findings.append(late(patch, why))


def accident(bug: Exception) -> str:
    """What is told of a patch at which weft itself fails: it is lost alone."""
    return f"weft fails on it: {type(bug).__name__}: {bug}"[:300]


def late(patch: Patch, why: str, path: Path = (), advice: str = "") -> Finding:
    """A patch that is left out although its document was taken."""
    return Finding(
        code="W0163",
        message=f"the patch is left out: {why}",
        severity=Severity.WARNING,
        document=patch.origin.key,
        path=(*patch.path, "patch", *(("value", *path) if path else ())),
        help=advice or "the rest is served",
    )


def changed(items: list[M], patch: Patch, new: Callable[[], M], anchor: Callable[[M], bool] | None) -> list[M]:
    """A list with one thing added, replaced or removed; ``anchor`` finds the thing that the patch names, if any."""
    found = [index for index, one in enumerate(items) if anchor is not None and anchor(one)]
    match patch.operation:
        case PatchOperation.ADD:
            return [*items, new()]
        case PatchOperation.INSERT_FIRST:
            return [new(), *items]
        case PatchOperation.INSERT_BEFORE | PatchOperation.INSERT_AFTER:
            after = patch.operation is PatchOperation.INSERT_AFTER
            if anchor is None:
                return [*items, new()] if after else [new(), *items]
            at = found[0] + after if found else None
            return items if at is None else [*items[:at], new(), *items[at:]]
        case PatchOperation.REPLACE if found:
            return [*items[: found[0]], new(), *items[found[0] + 1 :]]
        case PatchOperation.REMOVE:
            return [one for index, one in enumerate(items) if index not in found]
        case _:
            return items
