"""Documents for tests, as short as tests want to write them."""

import json
from typing import Any

from weft.dialects.fragment import Fragment
from weft.dialects.kinds import Kind
from weft.dialects.link import link
from weft.dialects.translate import KINDS, check, fragment_of
from weft.kit.yaml import parse_yaml
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh
from weft.model.settings import Settings

# A name that two groups have is the first one's; Kind.group names the other.
BY_NAME: dict[str, Kind] = {kind.kind: kind for kind in reversed(KINDS)}
BY_NAME |= {f"{kind.kind}.{kind.group}": kind for kind in KINDS}


def content_of(kind: str, spec: str | dict[str, Any], name: str = "sample", **metadata: Any) -> dict[str, Any]:
    """A whole document; its specification may be YAML."""
    served = BY_NAME[kind]
    named = {"name": name, **({"namespace": "shop"} if served.namespaced else {}), **metadata}
    written = parse_yaml(spec, "test.yaml")[0].content if isinstance(spec, str) and spec.strip() else spec or {}
    version = served.api_version(served.versions[0])
    return {"apiVersion": version, "kind": served.kind, "metadata": named, "spec": written}


def document(
    kind: str,
    spec: str | dict[str, Any],
    name: str = "sample",
    *,
    namespace: str = "shop",
    created: str = "",
    status: dict[str, Any] | None = None,
    **metadata: Any,
) -> Document:
    """A document as a store keeps it."""
    content = content_of(kind, spec, name, **{"namespace": namespace, **metadata})
    if status is not None:
        content["status"] = status
    key = Key(group=BY_NAME[kind].group, kind=BY_NAME[kind].kind, namespace=namespace, name=name)
    return Document(key=key, content=json.dumps(content).encode(), created=created)


def checked(kind: str, spec: str | dict[str, Any], **metadata: Any) -> tuple[Finding, ...]:
    """What is said of a document alone."""
    return check(BY_NAME[kind], content_of(kind, spec, **metadata))


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Codes and places."""
    return [(finding.code, ".".join(map(str, finding.path))) for finding in findings]


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    """Those that refuse the document."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def fragment(kind: str, spec: str | dict[str, Any], name: str = "sample", **options: Any) -> Fragment:
    """The fragment of a document that must not be refused."""
    made = fragment_of(document(kind, spec, name, **options), Settings())
    assert not errors(made.findings), made.findings
    return made


def linked(*documents: Document, settings: Settings | None = None) -> Mesh:
    """The mesh that documents make together."""
    chosen = settings or Settings()
    return link(tuple(fragment_of(one, chosen) for one in documents), chosen, 1)
