"""The kinds of documents that weft serves, as Kubernetes discovery and tables want to know them."""

from weft.kit.value import Value


class Column(Value):
    """A column of ``kubectl get``: ``json_path`` starts with a dot, ``priority`` above 0 is shown with ``-o wide``."""

    name: str
    json_path: str
    type: str = "string"
    description: str = ""
    priority: int = 0


class Kind(Value):
    """A kind: ``versions`` begins with the one it is stored in; ``group`` is empty for the core."""

    group: str
    kind: str
    plural: str
    singular: str
    versions: tuple[str, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column, ...] = ()

    def api_version(self, version: str) -> str:
        """``apiVersion`` as documents write it."""
        return f"{self.group}/{version}" if self.group else version


AGE = Column(name="Age", json_path=".metadata.creationTimestamp", type="date", description="When it was created.")
