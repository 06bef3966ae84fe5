"""Documents as the store keeps them, and the complete set of them at one revision."""

from weft.kit.value import Labels, Value


class Key(Value):
    """What names a document: API group ("" for core), kind, namespace ("" when cluster-scoped) and name."""

    kind: str
    name: str
    namespace: str = ""
    group: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


class Document(Value):
    """One stored object.

    ``content`` is the whole object as canonical JSON in the storage version of its kind, metadata and status included,
    but without ``metadata.resourceVersion``: that is ``revision``, the store's global counter at the last write.
    ``created`` is ``metadata.creationTimestamp`` (RFC 3339, seconds), the first part of Istio's precedence order.
    """

    key: Key
    content: bytes
    revision: int = 0
    created: str = ""
    uid: str = ""
    labels: Labels = ()


class Snapshot(Value):
    """Every document at one revision. Sources yield complete snapshots only."""

    revision: int
    documents: tuple[Document, ...]


class Origin(Value):
    """Where something in the model came from, and its place in the order of precedence."""

    key: Key
    created: str = ""

    @property
    def precedence(self) -> tuple[str, str, str]:
        """Istio's order of conflicting configuration: oldest first, then name, then namespace."""
        return (self.created, self.key.name, self.key.namespace)


class Place(Value):
    """Where in a document something is said: ``("spec", "http", 0)``."""

    document: Key
    path: tuple[str | int, ...]
