"""What a document is told of itself beside findings: conditions of it, its parents and its listeners (Gateway API)."""

from weft.kit.value import Value
from weft.model.document import Key


class Condition(Value):
    """One thing that holds or does not; ``reason`` is one word, ``message`` a sentence."""

    type: str
    holds: bool
    reason: str
    message: str = ""


class ParentStanding(Value):
    """How a route or a policy stands with one of its parents; ``parent`` has the fields of its reference, sorted."""

    parent: tuple[tuple[str, str | int], ...]
    conditions: tuple[Condition, ...]


class ListenerStanding(Value):
    """A listener, the kinds of routes (group, kind) that it takes, and how many are attached."""

    name: str
    kinds: tuple[tuple[str, str], ...]
    attached: int
    conditions: tuple[Condition, ...]


class Standing(Value):
    """How a document of a ``generation`` stands; a field that its kind has not is ``None``.

    ``parents`` are told by the ``controller``, ``ancestors`` likewise. ``addresses`` are pairs of type and value.
    """

    key: Key
    generation: int
    controller: str
    conditions: tuple[Condition, ...] | None = None
    parents: tuple[ParentStanding, ...] | None = None
    ancestors: tuple[ParentStanding, ...] | None = None
    listeners: tuple[ListenerStanding, ...] | None = None
    addresses: tuple[tuple[str, str], ...] | None = None
    features: tuple[str, ...] | None = None
    listener_sets: int | None = None
