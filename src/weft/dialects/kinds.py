"""The kinds of documents that weft serves, as Kubernetes discovery and tables want to know them."""

from weft.kit.value import Value


class Column(Value):
    """A column of ``kubectl get``: ``json_path`` starts with a dot, ``priority`` above 0 is shown with ``-o wide``.

    With ``counted`` the cell is how many entries the mappings of these names have together.
    """

    name: str
    json_path: str
    type: str = "string"
    description: str = ""
    priority: int = 0
    counted: tuple[str, ...] = ()


class Kind(Value):
    """A kind: ``versions`` begins with the one it is stored in; ``group`` is empty for the core.

    A ``flat`` kind has its fields beside its metadata and no status: it is kept for its users and says nothing of the
    mesh.
    """

    group: str
    kind: str
    plural: str
    singular: str
    versions: tuple[str, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column, ...] = ()
    flat: bool = False

    def api_version(self, version: str) -> str:
        """``apiVersion`` as documents write it."""
        return f"{self.group}/{version}" if self.group else version


AGE = Column(name="Age", json_path=".metadata.creationTimestamp", type="date", description="When it was created.")
