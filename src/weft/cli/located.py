"""Documents from files together with where the API keeps them."""

from collections.abc import Sequence
from typing import Any

from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.kinds import Kinds, Served
from weft.cli.manifests import Manifest
from weft.model.document import Key
from weft.model.finding import Finding


class Located:
    """A manifest whose kind is served. ``str()`` is how results name it."""

    def __init__(self, manifest: Manifest, served: Served, namespace: str) -> None:
        self.manifest = manifest
        self.served = served
        self.namespace = (manifest.namespace or namespace) if served.namespaced else ""

    def __str__(self) -> str:
        return f"{self.served.full_name}/{self.manifest.name}"

    @property
    def key(self) -> Key:
        """What names the document."""
        return Key(group=self.served.group, kind=self.served.kind, namespace=self.namespace, name=self.manifest.name)

    @property
    def path(self) -> str:
        """Where the API has it."""
        return self.served.path(self.namespace, self.manifest.name)

    @property
    def content(self) -> dict[str, Any]:
        """The document with its namespace filled in."""
        content: dict[str, Any] = self.manifest.content
        metadata = content["metadata"] | ({"namespace": self.namespace} if self.namespace else {})
        return content | {"metadata": metadata}


def located(manifests: Sequence[Manifest], kinds: Kinds, namespace: str) -> tuple[Located, ...]:
    """Find every document's place; tells all that have none, or share one, and ends the command."""
    found: dict[Key, Located] = {}
    problems: list[tuple[Finding, Manifest | None]] = []
    for manifest in manifests:
        place = _place(manifest, kinds, namespace)
        if isinstance(place, Finding):
            problems.append((place, manifest))
        elif (other := found.get(place.key)) is not None:
            problems.append((_twice(place, other), manifest))
        else:
            found[place.key] = place
    if problems:
        tell(problems)
        raise Told
    return tuple(found.values())


def _place(manifest: Manifest, kinds: Kinds, namespace: str) -> Located | Finding:
    if problem := incomplete(manifest):
        return problem
    served = kinds.of(manifest.api_version, manifest.kind)
    if served is None:
        return Finding(
            code="W0126",
            message=f"kind {manifest.kind} of {manifest.api_version} is not served",
            path=("kind",),
            help=f"known are {', '.join(kinds.kinds())}",
        )
    return Located(manifest, served, namespace)


def incomplete(manifest: Manifest) -> Finding | None:
    """What keeps a document from having a name at all."""
    if not isinstance(manifest.content, dict):
        return Finding(code="W0102", message="a document must be a mapping", help="start it with apiVersion and kind")
    parts = {"apiVersion": manifest.api_version, "kind": manifest.kind, "metadata.name": manifest.name}
    missing = [name for name, value in parts.items() if not value]
    if not missing:
        return None
    return Finding(code="W0105", message=f"a document needs {' and '.join(missing)}", help=f"add {missing[0]} as text")


def _twice(place: Located, other: Located) -> Finding:
    line = other.manifest.yaml.place((*other.manifest.root, "metadata", "name"), at_key=False).line
    return Finding(
        code="W0117",
        message=f"{place} is given twice",
        path=("metadata", "name"),
        help=f"remove one; the other is at {other.manifest.source.name}:{line}",
    )
