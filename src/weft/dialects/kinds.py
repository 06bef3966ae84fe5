"""The kinds of documents that weft serves, as Kubernetes discovery and tables want to know them."""

from collections.abc import Callable, Mapping
from typing import Any

from weft.kit.value import Value


class Column(Value):
    """A column of ``kubectl get``: ``json_path`` starts with a dot, ``priority`` above 0 is shown with ``-o wide``.

    With ``counted`` the cell is how many entries the mappings of these names have together; ``cell`` makes it of the
    whole object. One column has the ``format`` ``name``: the first, unless a kind says otherwise.
    """

    name: str
    json_path: str
    type: str = "string"
    description: str = ""
    priority: int = 0
    counted: tuple[str, ...] = ()
    cell: Callable[[Mapping[str, Any]], str] | None = None
    format: str = ""


class Kind(Value):
    """A kind: ``versions`` begins with the one it is stored in; ``group`` is empty for the core.

    Objects are chosen by the fields in ``chosen_by`` besides their names. A ``flat`` kind has its fields beside its
    metadata and no status: it is kept for its users and says nothing of the mesh.
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
    chosen_by: tuple[str, ...] = ()

    def api_version(self, version: str) -> str:
        """``apiVersion`` as documents write it."""
        return f"{self.group}/{version}" if self.group else version


NAME = Column(
    name="Name", json_path=".metadata.name", description="The object's name, unique in its namespace.", format="name"
)
AGE = Column(name="Age", json_path=".metadata.creationTimestamp", type="date", description="When it was created.")
