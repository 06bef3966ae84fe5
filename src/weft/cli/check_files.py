"""The control plane's own checks over files: what ``weft analyze`` and ``weft validate`` share."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.located import incomplete
from weft.cli.manifests import Manifest, manifests_of
from weft.cli.talk import give, say
from weft.dialects.kinds import Kind
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import KINDS, check, convert, fragment_of
from weft.kit.value import Value, labels_of
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity, field_path
from weft.model.settings import Settings

Found = tuple[Finding, Manifest | None]


class Request(Value):
    """What to check and how to tell it. ``together``: also how the documents fit together."""

    names: tuple[str, ...]
    recursive: bool
    namespace: str
    strict: bool
    output: str
    together: bool


def check_files(request: Request) -> None:
    """Check files and tell what was found; ends the command with 1 for errors, 3 for warnings under ``--strict``."""
    manifests = manifests_of(request.names, recursive=request.recursive)
    found = findings_of(manifests, request.namespace, together=request.together)
    if request.output == "json":
        give(_json(found))
    else:
        tell(found)
    errors = sum(finding.severity is Severity.ERROR for finding, _ in found)
    warnings = sum(finding.severity is Severity.WARNING for finding, _ in found)
    say(f"checked {_count(len(manifests), 'document')}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors or (warnings and request.strict):
        raise Told(1 if errors else 3)


def findings_of(manifests: Sequence[Manifest], namespace: str, *, together: bool) -> tuple[Found, ...]:
    """Each document alone; then, unless one is wrong by itself, all of them linked."""
    alone: list[Found] = []
    documents: dict[Key, tuple[Document, Manifest]] = {}
    for manifest in manifests:
        kind = _kind_of(manifest)
        if isinstance(kind, Finding):
            alone.append((kind, manifest))
            continue
        content = _complete(manifest, kind, namespace)
        document = _document(kind, content)
        alone.extend((finding, manifest) for finding in (*check(kind, content), *_of_patches(document)))
        if document.key in documents:
            alone.append((_twice(document.key, documents[document.key][1]), manifest))
        documents[document.key] = (document, manifest)
    if not together or any(finding.severity is Severity.ERROR for finding, _ in alone):
        return tuple(alone)
    return _unique((*alone, *_linked(documents)))


def _of_patches(document: Document) -> tuple[Finding, ...]:
    """What is wrong with the values of patches. Envoy's messages are loaded only where a document has some."""
    patches = fragment_of(document, Settings()).patches
    if not patches:
        return ()
    from weft.compiler.patches.sound import verdicts

    return verdicts(patches)


def _linked(documents: dict[Key, tuple[Document, Manifest]]) -> Iterable[Found]:
    base = Settings()
    place = documents.get(mesh_config_key(base))
    configured = settings_of(place[0] if place else None, base, base)
    settings = configured.settings
    fragments = tuple(fragment_of(document, settings) for document, _ in documents.values())
    for finding in (*configured.findings, *link(fragments, settings, 1).findings):
        place = documents.get(finding.document) if finding.document else None
        yield finding, place[1] if place else None


def _unique(found: Iterable[Found]) -> tuple[Found, ...]:
    """A document's own findings come with its fragment once more."""
    seen = {
        (finding.code, finding.path, finding.message, id(manifest)): (finding, manifest) for finding, manifest in found
    }
    return tuple(seen.values())


def _kind_of(manifest: Manifest) -> Kind | Finding:
    if problem := incomplete(manifest):
        return problem
    group, _, version = manifest.api_version.rpartition("/")
    for kind in KINDS:
        if (kind.group, kind.kind) == (group, manifest.kind) and version in kind.versions:
            return kind
    known = ", ".join(sorted({f"{kind.group or 'v1'} {kind.kind}" for kind in KINDS}))
    return Finding(
        code="W0126",
        message=f"kind {manifest.kind} of {manifest.api_version} is not served",
        path=("kind",),
        help=f"known are {known}",
    )


def _complete(manifest: Manifest, kind: Kind, namespace: str) -> dict[str, Any]:
    content: dict[str, Any] = manifest.content
    if not kind.namespaced or manifest.namespace:
        return content
    return content | {"metadata": content["metadata"] | {"namespace": namespace}}


def _document(kind: Kind, content: dict[str, Any]) -> Document:
    metadata = content["metadata"]
    labels = metadata.get("labels")
    return Document(
        key=Key(group=kind.group, kind=kind.kind, namespace=metadata.get("namespace", ""), name=metadata["name"]),
        content=msgspec.json.encode(convert(kind, content), order="sorted"),
        labels=labels_of(labels) if isinstance(labels, dict) else (),
    )


def _twice(key: Key, other: Manifest) -> Finding:
    return Finding(
        code="W0117",
        message=f"{key} is given twice",
        path=("metadata", "name"),
        help=f"remove one; the other is in {other.source.name}",
    )


def _json(found: Sequence[Found]) -> str:
    """One object for each finding, for editors and pipelines."""
    rows = []
    for finding, manifest in found:
        row: dict[str, str | int] = {
            "code": finding.code,
            "severity": finding.severity.value,
            "message": finding.message,
            "help": finding.help,
            "path": field_path(finding.path),
        }
        if manifest is not None:
            place = manifest.yaml.place(manifest.root + finding.path, at_key=finding.at_key)
            row |= {"file": manifest.source.name, "line": place.line, "column": place.column}
        rows.append(row)
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
