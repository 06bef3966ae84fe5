"""What is served under which path: the dialects' kinds, and the few that clients expect to find.

A ``Resource`` is a kind as discovery, the handlers and the OpenAPI documents see it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from weft.api.errors import Json
from weft.dialects.kinds import AGE, NAME, Column, Kind
from weft.dialects.kubernetes.cells import involved
from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Finding

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")


class Dialect(Value):
    """What the API needs of the dialects: their kinds, each kind's schema, its rules and its other versions.

    ``received`` and ``completed`` are what Kubernetes' API server makes of an object before and after it is checked;
    ``kept`` gives a new object what the server chose for the old one.
    """

    kinds: tuple[Kind, ...]
    schema_of: Callable[[Kind, str], dict[str, object]]
    check: Callable[[Kind, dict[str, Any]], tuple[Finding, ...]]
    check_change: Callable[[Kind, dict[str, Any], dict[str, Any]], tuple[Finding, ...]]
    received: Callable[[Kind, dict[str, Any]], dict[str, Any]]
    completed: Callable[[Kind, dict[str, Any]], dict[str, Any]]
    convert: Callable[[Kind, dict[str, Any]], dict[str, Any]]
    kept: Callable[[Kind, dict[str, Any], dict[str, Any]], dict[str, Any]]


class Resource(Value):
    """A kind under its path."""

    kind: Kind
    verbs: tuple[str, ...] = READ + WRITE

    @property
    def core(self) -> bool:
        """Whether it is one of Kubernetes' own, which accept strategic merge patches and unconditional updates."""
        return not self.kind.group

    @property
    def writable(self) -> bool:
        """Whether objects of it can be stored."""
        return "update" in self.verbs

    @property
    def told(self) -> bool:
        """Whether the mesh has a word about objects of it: they have a status, under a path of its own."""
        return self.writable and not self.kind.flat

    @property
    def storage_version(self) -> str:
        """``apiVersion`` of what is stored."""
        return self.kind.api_version(self.kind.versions[0])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a table, the name among them; the age, too, unless a kind has its name elsewhere."""
        columns = self.kind.columns
        if any(column.format == NAME.format for column in columns):
            return columns
        aged = any(column.json_path == AGE.json_path for column in columns)
        return (NAME, *columns) if aged else (NAME, *columns, AGE)

    def key(self, namespace: str, name: str) -> Key:
        """The key of one object."""
        return Key(group=self.kind.group, kind=self.kind.kind, namespace=namespace, name=name)

    def holds(self, key: Key) -> bool:
        """Whether a document is one of these."""
        return key.kind == self.kind.kind and key.group == self.kind.group


EVENTS = Resource(
    kind=Kind(
        group="",
        kind="Event",
        plural="events",
        singular="event",
        versions=("v1",),
        short_names=("ev",),
        chosen_by=(
            *(f"involvedObject.{name}" for name in ("apiVersion", "fieldPath", "kind", "name", "namespace", "uid")),
            *("involvedObject.resourceVersion", "reason", "reportingComponent", "type"),
        ),
        columns=(
            Column(name="Last Seen", json_path=".lastTimestamp", type="date", description="When it happened last."),
            Column(name="Type", json_path=".type", description="Normal or Warning."),
            Column(name="Reason", json_path=".reason", description="What happened, in a word."),
            Column(name="Object", json_path=".involvedObject", description="To what.", cell=involved),
            Column(name="Source", json_path=".source.component", description="Who tells.", priority=1),
            Column(name="Message", json_path=".message", description="What happened."),
            Column(name="First Seen", json_path=".firstTimestamp", type="date", description="Since when.", priority=1),
            Column(name="Count", json_path=".count", type="integer", description="How often.", priority=1),
            Column(name="Name", json_path=".metadata.name", description="Its name.", priority=1, format="name"),
        ),
    ),
    verbs=READ,
)
"""What happened lately; nobody writes them. ``kubectl describe`` asks for the events of what it describes."""


def _review(group: str, kind: str) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(
        kind=Kind(group=group, kind=kind, plural=plural, singular=kind.lower(), versions=("v1",), namespaced=False),
        verbs=("create",),
    )


ACCESS_REVIEW = _review("authorization.k8s.io", "SelfSubjectAccessReview")
RULES_REVIEW = _review("authorization.k8s.io", "SelfSubjectRulesReview")
SUBJECT_REVIEW = _review("authentication.k8s.io", "SelfSubjectReview")
REVIEWS = (ACCESS_REVIEW, RULES_REVIEW, SUBJECT_REVIEW)
"""Questions about the caller, which are answered and not stored."""


class Catalogue:
    """Every resource, by its place in a path."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.resources = (*(Resource(kind=kind) for kind in dialect.kinds), EVENTS, *REVIEWS)
        self._by_path = {
            (resource.kind.group, version, resource.kind.plural): resource
            for resource in self.resources
            for version in resource.kind.versions
        }

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at ``/apis/<group>/<version>/<plural>``."""
        return self._by_path.get((group, version, plural))

    def groups(self) -> tuple[str, ...]:
        """All but the core one, by name as in a cluster: of kinds with one name kubectl takes the first group's."""
        return tuple(sorted({r.kind.group for r in self.resources if r.kind.group}))

    def versions(self, group: str) -> tuple[str, ...]:
        """The versions of a group, preferred one first."""
        found = (version for r in self.resources if r.kind.group == group for version in r.kind.versions)
        return tuple(dict.fromkeys(found))

    def served(self, group: str, version: str) -> Sequence[Resource]:
        """The resources of a group's version."""
        return [r for r in self.resources if r.kind.group == group and version in r.kind.versions]

    def schema(self, resource: Resource, version: str) -> Json:
        """The whole object's schema; an object of any shape for what is never stored."""
        if resource.kind not in self.dialect.kinds:
            return {"type": "object", "description": f"{resource.kind.kind}: never stored here; the list is empty."}
        return dict(self.dialect.schema_of(resource.kind, version))
