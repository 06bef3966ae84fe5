"""``POST /weft/v1/diff``: what documents would change of every sidecar's configuration, were they written."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError, bad_request, invalid
from weft.api.gate import subject_of
from weft.api.questions import body_of, namespace_of, own, routes_of
from weft.compiler.resource import Preview
from weft.dialects.kinds import Kind
from weft.dialects.translate import KINDS, check, convert
from weft.explain.difference import differences
from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity

MAX_BODY = 16 * 1024 * 1024


PreviewOf = Callable[[Sequence[Document], Collection[Key]], Awaitable[Preview]]


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """Whole documents as they would be stored, and those that would go."""

    documents: list[dict[str, Any]] = []
    deleted: list[Key] = []
    show: bool = False


def diff_routes(preview: PreviewOf, authorizer: Authorizer) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def diff(request: Request) -> Any:
        wanted = await body_of(request, _Wanted, at_most=MAX_BODY)
        may = await authorizer.judge(subject_of(request))
        seen = await preview([_document(content) for content in wanted.documents], wanted.deleted)
        proxies = []
        for one in seen.proxies:
            if may(own("get", "proxies", namespace_of(one.name), one.name)):
                changes = differences(one.before, one.after, texts=wanted.show)
                proxies.append({"name": one.name, "changes": msgspec.to_builtins(changes)})
        shown = [finding for finding in seen.findings if may(own("list", "findings", _place_of(finding)))]
        return {"proxies": proxies, "findings": msgspec.to_builtins(shown)}

    return routes_of([("POST", "/diff", diff)])


def _document(content: dict[str, Any]) -> Document:
    """A document that may be stored. Raises ``ApiError`` 400 and 422."""
    kind = _kind_of(content)
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        raise bad_request("a document needs metadata.name")
    errors = [finding for finding in check(kind, content) if finding.severity is Severity.ERROR]
    if errors:
        raise invalid(kind.kind, kind.group, name, errors)
    return Document(
        key=Key(group=kind.group, kind=kind.kind, namespace=metadata.get("namespace") or "", name=name),
        content=msgspec.json.encode(convert(kind, content), order="sorted"),
        created=metadata.get("creationTimestamp") or "",
        labels=labels_of(metadata.get("labels") or {}),
    )


def _kind_of(content: dict[str, Any]) -> Kind:
    group, _, version = str(content.get("apiVersion", "")).rpartition("/")
    for kind in KINDS:
        if (kind.group, kind.kind) == (group, content.get("kind")) and version in kind.versions:
            return kind
    raise ApiError(404, "NotFound", f"kind {content.get('kind')} of {content.get('apiVersion')} is not served")


def _place_of(finding: Finding) -> str:
    return finding.document.namespace if finding.document else ""
