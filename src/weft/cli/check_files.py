"""The control plane's own checks over files: what ``weft analyze`` and ``weft validate`` share."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.listing import How, Item, Shown, give_items, written
from weft.cli.located import incomplete
from weft.cli.manifests import Manifest, manifests_of
from weft.cli.sarif import sarif
from weft.cli.talk import give, say
from weft.cli.together import Found, is_of_kubernetes, key_of, said_together
from weft.dialects.kinds import Kind
from weft.dialects.translate import KINDS, check, convert, fragment_of, received
from weft.kit.value import Value, labels_of
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity, field_path
from weft.model.settings import Settings


class Request(Value):
    """What to check and how to tell it. ``together``: also how the documents fit together."""

    names: tuple[str, ...]
    recursive: bool
    namespace: str
    strict: bool
    output: str
    together: bool


def check_files(request: Request, live: Sequence[Document] = ()) -> None:
    """Check files, with the documents of a control plane if given, and tell what was found.

    Ends the command with 1 for errors, 3 for warnings under ``--strict``.
    """
    manifests = manifests_of(request.names, recursive=request.recursive) if request.names or not live else ()
    found = findings_of(manifests, request.namespace, together=request.together, live=live)
    match request.output:
        case "json" | "yaml":
            give(written(_rows(found), request.output))
        case "table" | "wide" | "name":
            give_items(How(output=request.output), {}, _SHOWN, _rows(found))
        case "sarif":
            give(msgspec.json.format(msgspec.json.encode(sarif(found)), indent=2).decode())
        case _:
            tell(found)
    errors = sum(finding.severity is Severity.ERROR for finding, _ in found)
    warnings = sum(finding.severity is Severity.WARNING for finding, _ in found)
    checked = _count(len(manifests) if manifests else len(live), "document")
    say(f"checked {checked}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors or (warnings and request.strict):
        raise Told(1 if errors else 3)


def findings_of(
    manifests: Sequence[Manifest], namespace: str, *, together: bool, live: Sequence[Document] = ()
) -> tuple[Found, ...]:
    """Each document alone; then all of them linked and analysed, without those that are refused.

    Together, kinds of Kubernetes that weft does not serve are taken, beside others, for what they say of workloads.
    Of the ``live`` documents, those that the files replace are left out; what was wrong with the others before is not
    told unless there are no files.
    """
    alone: list[Found] = []
    documents: dict[Key, tuple[Document, Manifest]] = {}
    foreign: dict[Key, Manifest] = {}
    unread: list[Found] = []
    for manifest in manifests:
        kind = _kind_of(manifest)
        if isinstance(kind, Finding):
            if kind.code == "W0126":
                foreign[key_of(manifest, namespace)] = manifest
            beside = together and kind.code == "W0126" and is_of_kubernetes(manifest)
            (unread if beside else alone).append((kind, manifest))
            continue
        content = _complete(manifest, kind, namespace)
        document = _document(kind, content)
        alone.extend((finding, manifest) for finding in (*check(kind, content), *_of_patches(document)))
        if document.key in documents:
            alone.append((_twice(document.key, documents[document.key][1]), manifest))
        documents[document.key] = (document, manifest)
    if not documents:
        alone += unread
    if not together:
        return tuple(alone)
    return _unique((*alone, *said_together(documents, foreign, live)))


def _of_patches(document: Document) -> tuple[Finding, ...]:
    """What is wrong with the values of patches. Envoy's messages are loaded only where a document has some."""
    patches = fragment_of(document, Settings()).patches
    if not patches:
        return ()
    from weft.compiler.patches.sound import verdicts

    return verdicts(patches)


def _unique(found: Iterable[Found]) -> tuple[Found, ...]:
    """A document's own findings come with its fragment once more; what linking says, it says better than others."""
    seen: dict[object, Found] = {}
    for finding, manifest in found:
        seen.setdefault((finding.code, finding.path, finding.message, id(manifest)), (finding, manifest))
    return tuple(seen.values())


def stored_form(manifests: Sequence[Manifest], namespace: str) -> dict[Key, Document]:
    """The documents of files as a store would have them. Raises ``UserError`` for those that would be refused."""
    found: dict[Key, Document] = {}
    for manifest in manifests:
        kind = _kind_of(manifest)
        if isinstance(kind, Finding) and kind.code == "W0126" and is_of_kubernetes(manifest):
            continue
        wrong = (kind,) if isinstance(kind, Finding) else check(kind, _complete(manifest, kind, namespace))
        errors = [finding for finding in wrong if finding.severity is Severity.ERROR]
        if errors or isinstance(kind, Finding):
            tell((finding, manifest) for finding in errors)
            raise Told(2)
        document = _document(kind, _complete(manifest, kind, namespace))
        found[document.key] = document
    return found


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
    content = received(kind, manifest.content)
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


def _rows(found: Sequence[Found]) -> list[Item]:
    """One object for each finding, for editors and pipelines."""
    rows = []
    for finding, manifest in found:
        row: Item = {
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
    return rows


def _place(row: Item) -> str:
    return f"{row['file']}:{row['line']}:{row['column']}" if "file" in row else "-"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_SHOWN = Shown(
    name=lambda one: str(one["code"]),
    head=("severity", "code", "place", "message"),
    cells=lambda one: [one["severity"], one["code"], _place(one), one["message"]],
    wide_head=("field", "help"),
    wide_cells=lambda one: [one["path"] or "-", one["help"] or "-"],
    none="nothing is wrong",
    colours={"error": "error", "warning": "warning"},
)
