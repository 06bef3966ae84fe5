"""Everything that is analysed together: documents by kind, and the workloads, services and namespaces among them."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from weft.dialects.analysis.objects import ContainerPort, Loose, Metadata, PodSpec, Status, Templated, Whole
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.kubernetes.service_type import ServicePort, ServiceSpec
from weft.dialects.shape import shaped
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity

NETWORKING, SECURITY, TELEMETRY = "networking.istio.io", "security.istio.io", "telemetry.istio.io"
ROOT_NAMESPACE = "istio-system"
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")

_MENDINGS = 6

M = TypeVar("M", bound=BaseModel)


class Thing(NamedTuple):
    """A document."""

    key: Key
    content: Mapping[str, Any]
    metadata: Metadata
    status: Status

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.key.namespace

    def said(self, code: str, message: str, path: Path = (), advice: str = "", *, note: bool = False) -> Finding:
        """A finding about the document."""
        severity = Severity.NOTE if note else Severity.WARNING
        return Finding(code=code, message=message, severity=severity, document=self.key, path=path, help=advice)


class Runs(NamedTuple):
    """A workload: a WorkloadEntry, a Pod, or what a Deployment makes Pods from."""

    thing: Thing
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ports: tuple[ContainerPort, ...] = ()

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether a selector picks it."""
        return labels.items() <= self.labels.items()


class Offered(NamedTuple):
    """A Service of Kubernetes."""

    thing: Thing
    spec: ServiceSpec

    @property
    def host(self) -> str:
        """Its full name."""
        return f"{self.thing.key.name}.{self.thing.namespace}.svc.cluster.local"

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """Its ports."""
        return self.spec.ports


class World:
    """The documents. Reading is lenient: a part that has not its shape is told elsewhere and not looked at here.

    ``now`` (ISO 8601, UTC) is when certificates must be good; empty, they are not asked.
    """

    def __init__(self, documents: Iterable[tuple[Key, Mapping[str, Any]]], now: str = "") -> None:
        self.now = now
        self.things = tuple(_thing(key, content) for key, content in documents)

    def of(self, kind: str, model: type[M], group: str = NETWORKING) -> Iterator[tuple[Thing, M]]:
        """The documents of a kind with their specifications."""
        for thing in self._by_kind.get((group, kind), ()):
            spec = read(model, thing.content.get("spec") or {})
            if spec is not None:
                yield thing, spec

    @cached_property
    def _by_kind(self) -> Mapping[tuple[str, str], list[Thing]]:
        found: dict[tuple[str, str], list[Thing]] = {}
        for thing in self.things:
            found.setdefault((thing.key.group, thing.key.kind), []).append(thing)
        return found

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """Those that are documents, and those that documents are in."""
        named = {thing.key.name for thing in self.things if (thing.key.group, thing.key.kind) == ("", "Namespace")}
        return frozenset(named | {thing.namespace for thing in self.things if thing.namespace})

    @cached_property
    def declared_namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of those that are documents."""
        found = (thing for thing in self.things if (thing.key.group, thing.key.kind) == ("", "Namespace"))
        return {thing.key.name: thing.metadata.labels for thing in found}

    @cached_property
    def workloads(self) -> tuple[Runs, ...]:
        """What runs."""
        return tuple(self._workloads())

    def _workloads(self) -> Iterator[Runs]:
        for thing, entry in self.of("WorkloadEntry", WorkloadEntry):
            yield Runs(thing, {**thing.metadata.labels, **entry.labels}, thing.metadata.annotations)
        for thing, pod in self.of("Pod", PodSpec, ""):
            yield Runs(thing, thing.metadata.labels, thing.metadata.annotations, _ports(pod))
        yield from self.deployments

    @cached_property
    def deployments(self) -> tuple[Runs, ...]:
        """What makes Pods."""
        return tuple(
            Runs(thing, spec.template.metadata.labels, spec.template.metadata.annotations, _ports(spec.template.spec))
            for kind in _TEMPLATES
            for thing, spec in self.of(kind, Templated, "apps")
        )

    @cached_property
    def services(self) -> tuple[Offered, ...]:
        """Services of Kubernetes."""
        return tuple(Offered(thing, spec) for thing, spec in self.of("Service", ServiceSpec, ""))

    def picked(self, labels: Mapping[str, str], namespace: str) -> tuple[Runs, ...]:
        """The workloads that a selector picks; ``namespace`` is empty for all."""
        pair = next(iter(labels.items()), None)
        candidates = self._by_label.get((namespace, pair), ())
        return tuple(one for one in candidates if one.has(labels))

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of the hosts that Pods run on."""
        return {one.key.name: one.metadata.labels for one in self._by_kind.get(("", "Node"), ())}

    @cached_property
    def _by_label(self) -> Mapping[tuple[str, tuple[str, str] | None], list[Runs]]:
        """Workloads by namespace ("" for all) and one of their labels (none for all)."""
        found: dict[tuple[str, tuple[str, str] | None], list[Runs]] = {}
        for one in self.workloads:
            for pair in (None, *one.labels.items()):
                for namespace in dict.fromkeys(("", one.thing.namespace)):
                    found.setdefault((namespace, pair), []).append(one)
        return found


def read(model: type[M], content: Any) -> M | None:
    """A part of a document; ``None`` if it has not the shape."""
    if not isinstance(content, dict):
        return None
    if not issubclass(model, Loose):
        return shaped(model, content).model or _mended(model, content)
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _thing(key: Key, content: Mapping[str, Any]) -> Thing:
    whole = read(Whole, dict(content)) or Whole()
    return Thing(key, content, whole.metadata, whole.status)


def _mended(model: type[M], content: Any) -> M | None:
    """A document that lacks what it must have, with empty texts and messages in these places."""
    mended = copy.deepcopy(content)
    for _ in range(_MENDINGS):
        try:
            return model.model_validate(mended)
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False):
                _mend(mended, error["loc"], error["type"])
    return None


def _mend(content: Any, path: tuple[int | str, ...], fault: str) -> None:
    """What is missing becomes an empty message, then, if that is none, an empty text; what else is wrong goes."""
    if not path:
        return
    *way, last = path
    holder: Any = content
    for step in way:
        holder = _entry(holder, step)
    if isinstance(holder, dict) and fault in ("missing", "string_type"):
        holder[last] = {} if fault == "missing" else ""
    elif isinstance(holder, dict):
        holder.pop(last, None)


def _entry(holder: Any, step: int | str) -> Any:
    """A field or an item, ``None`` if there is none."""
    if isinstance(holder, dict):
        return holder.get(step)
    return holder[step] if isinstance(holder, list) and isinstance(step, int) and step < len(holder) else None


def _ports(pod: PodSpec) -> tuple[ContainerPort, ...]:
    return tuple(port for container in pod.containers for port in container.ports)
