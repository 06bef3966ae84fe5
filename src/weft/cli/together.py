"""How documents fit together: those of files, of the mesh, and of Kubernetes, which only tell of workloads."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from weft.cli.manifests import Manifest
from weft.dialects.analysis.analyses import analysed
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.finding import Finding
from weft.model.settings import Settings

Found = tuple[Finding, Manifest | None]
_LATER = "9999-12-31T23:59:59Z"
_CREDENTIALS = ("W0280", "W0281")
_CREDENTIALS_TOO = ("W0421", "W0424")
"""What the analysis says of Secrets is not said again where the mesh itself says it."""


def said_together(
    documents: Mapping[Key, tuple[Document, Manifest]], foreign: Mapping[Key, Manifest], live: Sequence[Document]
) -> Iterable[Found]:
    """What linking and analysing say; of ``live`` documents only what the files bring about, if there are any."""
    manifests = {key: manifest for key, (_, manifest) in documents.items()} | dict(foreign)
    created = {document.key: document.created for document in live}
    others = [document for document in live if document.key not in manifests]
    new = [
        msgspec.structs.replace(document, created=created.get(key, _LATER if live else ""))
        for key, (document, _) in documents.items()
    ]
    contents = [(key, manifest.content) for key, manifest in manifests.items()]
    before = set(_said(live, ())) if manifests and live else frozenset[Finding]()
    for finding in _said((*others, *new), contents):
        if finding not in before or finding.document in manifests:
            yield finding, manifests.get(finding.document) if finding.document else None


def _said(documents: Sequence[Document], contents: Sequence[tuple[Key, dict[str, Any]]]) -> Iterable[Finding]:
    """``contents`` are those of the files, as they were written."""
    base = Settings()
    known = {document.key: document for document in documents}
    configured = settings_of(known.get(mesh_config_key(base)), base, base)
    yield from configured.findings
    fragments = tuple(fragment_of(document, configured.settings) for document in documents)
    linked = link(fragments, configured.settings, 1).findings
    yield from linked
    missed = {(one.document, one.path) for one in linked if one.code in _CREDENTIALS}
    written = {key for key, _ in contents}
    kept = [(one.key, msgspec.json.decode(one.content)) for one in documents if one.key not in written]
    for finding in analysed((*kept, *contents), datetime.now(UTC).isoformat()):
        if finding.code not in _CREDENTIALS_TOO or (finding.document, finding.path) not in missed:
            yield finding


def key_of(manifest: Manifest, namespace: str) -> Key:
    """What names a document of a kind that is not served."""
    group = manifest.api_version.rpartition("/")[0]
    return Key(group=group, kind=manifest.kind, namespace=manifest.namespace or namespace, name=manifest.name)


def is_of_kubernetes(manifest: Manifest) -> bool:
    """Whether a kind is Kubernetes' own, as manifests for clusters have them beside those of the mesh."""
    group = manifest.api_version.rpartition("/")[0]
    return "." not in group or (group.endswith(".k8s.io") and not group.startswith("gateway."))
