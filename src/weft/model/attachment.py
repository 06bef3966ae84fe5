"""What a policy holds for: documents that it names, or the workloads that a selector fits."""

from weft.kit.value import Labels, Value
from weft.model.document import Key, Origin


class Target(Value):
    """A document, or the part of it that ``section`` names: a service's port, a gateway's listener, a route's rule."""

    key: Key
    section: str = ""

    def __str__(self) -> str:
        return f"{self.key}/{self.section}" if self.section else str(self.key)


class Attachment(Value):
    """Where a policy holds. With a ``selector`` there are no targets; an empty one is the whole namespace.

    ``generation`` is that of the policy's specification.
    """

    origin: Origin
    targets: tuple[Target, ...] = ()
    selector: Labels | None = None
    generation: int = 0

    @property
    def namespace(self) -> str:
        """The namespace of the policy, and of all that it can be attached to."""
        return self.origin.key.namespace
