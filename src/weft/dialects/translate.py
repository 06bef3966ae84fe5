"""The kinds that weft serves, and the one way from a document to its findings and its fragment of the model."""

from itertools import chain
from typing import Any

import msgspec

from weft.dialects.certmanager import serve as certmanager
from weft.dialects.codes import CODES
from weft.dialects.envelope import Envelope, envelope_of, spec_of, status_of
from weft.dialects.findings import Findings, Here, about, refused
from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api import serve as gateway_api
from weft.dialects.istio import serve as istio
from weft.dialects.kinds import Kind
from weft.dialects.kubernetes import serve as kubernetes
from weft.dialects.openslo import serve as openslo
from weft.dialects.schema import json_schema
from weft.dialects.served import Served, Subject
from weft.dialects.shape import MOST, shaped, touches
from weft.dialects.weft import serve as weft
from weft.dialects.wire import Wire
from weft.kit.memo import memo
from weft.model.document import Document, Key, Origin
from weft.model.finding import Finding, Severity
from weft.model.settings import Settings

__all__ = [
    "CODES",
    "KINDS",
    "check",
    "check_change",
    "completed",
    "completed_document",
    "convert",
    "enters_mesh",
    "fragment_of",
    "kept",
    "received",
    "reduced",
    "schema_of",
    "spec_type",
]

_SERVED: tuple[Served, ...] = (
    *kubernetes.SERVED,
    *istio.SERVED,
    *gateway_api.SERVED,
    *weft.SERVED,
    *certmanager.SERVED,
    *openslo.SERVED,
)
_BY_KIND = {(served.kind.group, served.kind.kind): served for served in _SERVED}

KINDS: tuple[Kind, ...] = tuple(served.kind for served in _SERVED)


def schema_of(kind: Kind, version: str) -> dict[str, object]:
    """The JSON schema (OpenAPI v3, self-contained) of a kind's whole document."""
    schema = json_schema(_envelope(_served(kind)))
    schema["x-kubernetes-group-version-kind"] = [{"group": kind.group, "kind": kind.kind, "version": version}]
    return schema


def spec_type(kind: Kind) -> type[Wire]:
    """The shape of a kind's own fields."""
    return _served(kind).spec


def check(kind: Kind, content: dict[str, Any]) -> tuple[Finding, ...]:
    """Everything that can be said of one document alone. An error among the findings refuses the write."""
    return _read(_served(kind), content)[1]


def check_change(kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> tuple[Finding, ...]:
    """What may not become of a stored document; ``new`` was checked."""
    served = _served(kind)
    before, after = (shaped(_envelope(served), content).model for content in (old, new))
    if before is None or after is None:
        return ()
    return tuple(served.check_change(spec_of(before), spec_of(after)))


def received(kind: Kind, content: dict[str, Any]) -> dict[str, Any]:
    """What a client sent, with fields that are only written (a Secret's ``stringData``) as those they stand for."""
    return _served(kind).received(content)


def completed(kind: Kind, content: dict[str, Any]) -> dict[str, Any]:
    """A document that was checked, with the defaults that Kubernetes' API server stores."""
    return _served(kind).completed(content)


def kept(kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A document that takes the place of another, with what the server chose for that and its writer left out."""
    return _served(kind).kept(old, new)


def completed_document(document: Document, content: dict[str, Any]) -> dict[str, Any]:
    """The same, of a document whose writer knows no dialect; as it is where nothing is served of its kind."""
    served = _BY_KIND.get((document.key.group, document.key.kind))
    return content if served is None else served.completed(content)


def convert(kind: Kind, content: dict[str, Any]) -> dict[str, Any]:
    """A document in the version that its kind is stored in; the versions differ in name only."""
    return {**content, "apiVersion": kind.api_version(kind.versions[0])}


def enters_mesh(key: Key) -> bool:
    """Whether documents of a kind say anything of the mesh; one of an unknown kind is told that it is unknown."""
    served = _BY_KIND.get((key.group, key.kind))
    return served is None or served.translate is not None or served.facts is not None


def reduced(document: Document) -> Document:
    """What means something to the mesh: equal for documents of which nothing else differs, and without secrets."""
    served = _BY_KIND.get((document.key.group, document.key.kind))
    content = document.content
    if served is not None and served.facts is not None:
        content = msgspec.json.encode(served.facts(document))
    return Document(key=document.key, content=content, created=document.created)


@memo(65_536)
def fragment_of(document: Document, settings: Settings) -> Fragment:
    """One document's part of the mesh, references not yet looked up. Never raises."""
    try:
        return _translated(document, settings)
    except Exception as bug:  # noqa: BLE001 - the boundary that loses one document and nothing else
        finding = Here().error("W0150", f"weft failed on this document: {type(bug).__name__}: {bug}"[:500], _REPORT)
        return _instead(document, about(document.key, [finding]))


_REPORT = "please report it with the document; the rest of the mesh is served"


def _translated(document: Document, settings: Settings) -> Fragment:
    key = document.key
    served = _BY_KIND.get((key.group, key.kind))
    if served is None:
        finding = Here(path=("kind",)).error("W0126", f"the kind {key.kind} is not served by this version of weft")
        return Fragment(key=key, findings=about(key, [finding]))
    if served.facts is not None:
        return Fragment(key=key, credentials=(served.facts(document),))
    if served.translate is None:
        return Fragment(key=key)
    try:
        content = msgspec.json.decode(document.content)
    except (msgspec.DecodeError, RecursionError) as wrong:
        finding = Here().error("W0102", f"the stored document is not JSON: {wrong}"[:300])
        return _instead(document, about(key, [finding]))
    envelope, findings = _read(served, content)
    findings = about(key, findings)
    if envelope is None or refused(findings):
        return _instead(document, findings)
    fragment = served.translate(spec_of(envelope), _subject(document, envelope, settings))
    return msgspec.structs.replace(fragment, findings=(*findings, *about(key, fragment.findings)))


def _instead(document: Document, findings: tuple[Finding, ...]) -> Fragment:
    """What holds for a document that cannot be read: nothing, or what its kind puts in its place."""
    key = document.key
    served = _BY_KIND.get((key.group, key.kind))
    if served is None or served.instead is None:
        return Fragment(key=key, findings=findings)
    try:
        content = msgspec.json.decode(document.content)
    except (msgspec.DecodeError, RecursionError):
        content = None
    closed = Here().error("W0252", "the document cannot be read, so its workloads are denied everything", _MEND)
    made = served.instead(content if isinstance(content, dict) else {}, key, _origin(document))
    return msgspec.structs.replace(made, findings=(*findings, *about(key, [closed])))


_MEND = "mend the document, or delete it"


def _origin(document: Document) -> Origin:
    return Origin(key=document.key, created=document.created)


def _subject(document: Document, envelope: Envelope, settings: Settings) -> Subject:
    return Subject(
        key=document.key,
        origin=_origin(document),
        metadata=envelope.metadata,
        status=status_of(envelope),
        settings=settings,
    )


def _read(served: Served, content: object) -> tuple[Envelope | None, tuple[Finding, ...]]:
    shape = shaped(_envelope(served), content)
    if shape.model is None:
        return None, shape.findings
    said = chain(_check_envelope(served.kind, shape.model), served.check(spec_of(shape.model), shape.model.metadata))
    own = (finding for finding in said if not touches(finding.path, shape.cut))
    return shape.model, (*shape.findings, *_most(own))


def _most(findings: Findings) -> list[Finding]:
    """The first of very many: an error is always among them if there is one, and after it no more is looked at."""
    kept: list[Finding] = []
    refuses = False
    for finding in findings:
        first_error = finding.severity is Severity.ERROR and not refuses
        if len(kept) < MOST or first_error:
            kept.append(finding)
        refuses = refuses or first_error
        if refuses and len(kept) >= MOST:
            break
    return kept


def _check_envelope(kind: Kind, envelope: Envelope) -> Findings:
    if envelope.kind != kind.kind:
        yield Here(path=("kind",)).error("W0126", f'the kind must be {kind.kind}, not "{envelope.kind[:80]}"')
    versions = [kind.api_version(version) for version in kind.versions]
    if envelope.api_version not in versions:
        message = f'the apiVersion of a {kind.kind} cannot be "{envelope.api_version[:80]}"'
        yield Here(path=("apiVersion",)).error("W0126", message, f"use {' or '.join(versions)}")


def _served(kind: Kind) -> Served:
    return _BY_KIND[(kind.group, kind.kind)]


def _envelope(served: Served) -> type[Envelope]:
    return envelope_of(served.kind, served.spec)
