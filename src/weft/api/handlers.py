"""The verbs on objects: each reads the request, lets the reader or the write path do it, and answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weft.api.access import reviewed
from weft.api.answers import Answers
from weft.api.authorizer import Authorizer
from weft.api.bodies import content_type, from_json, from_yaml, read_object, unsupported_media
from weft.api.drafts import Edit
from weft.api.errors import (
    ApiError,
    Json,
    bad_request,
    from_the_future,
    named,
    not_found,
    sentence,
    success,
    unprocessable,
)
from weft.api.gate import subject_of
from weft.api.lists import Page, Reader
from weft.api.negotiate import respond
from weft.api.objects import parse_revision
from weft.api.options import ReadOptions, WriteOptions, is_dry_run, read_options, write_options
from weft.api.patch import json_patch, merge_patch
from weft.api.paths import Target, ask_of, method_not_allowed, parse_path
from weft.api.quotas import Quotas
from weft.api.resources import REVIEWS, Catalogue
from weft.api.strategic import strategic_patch
from weft.api.watch import Watch
from weft.api.writes import Preconditions, Writes, Written
from weft.kit.clock import Clock
from weft.model.document import Document
from weft.store.source import Store

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"

Handler = Callable[[Request, Target], Awaitable[Response]]


class Handlers:
    """Answers every request about objects."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        writes: Writes,
        authorizer: Authorizer,
        clock: Clock,
        reader: Reader | None = None,
    ) -> None:
        self._store = store
        self._reader = reader or Reader(store, authorizer.built_in)
        self._authorizer = authorizer
        self._catalogue = catalogue
        self._quotas = Quotas(store)
        self._writes = writes
        self._clock = clock
        self._of_collection: dict[str, Handler] = {
            "GET": self._list,
            "POST": self._create,
            "DELETE": self._delete_collection,
        }
        self._of_object: dict[str, Handler] = {
            "GET": self._get,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    async def handle(self, request: Request) -> Response:
        """Whatever is asked about objects."""
        target = parse_path(request.url.path, self._catalogue)
        handlers = self._of_object if target.name else self._of_collection
        handler = handlers.get(request.method)
        if handler is None or not _allowed(request.method, target):
            raise method_not_allowed()
        ask = request.state.ask = ask_of(_verb(request, target), target)
        if target.resource not in REVIEWS:
            await self._authorizer.require(subject_of(request), ask)
        return await handler(request, target)

    async def _get(self, request: Request, target: Target) -> Response:
        answers = self._answers(request, target)
        wanted = request.query_params.get("resourceVersion", "")
        if wanted and parse_revision(wanted) > (newest := await self._store.revision()):
            raise from_the_future(int(wanted), newest)
        document = await self._reader.one(target)
        if document is None:
            raise not_found(target.resource.kind.plural, target.resource.kind.group, target.name)
        return await _answer(answers, Written(document=await self._told(document)))

    async def _list(self, request: Request, target: Target) -> Response:
        answers = self._answers(request, target)
        options = read_options(request.query_params, target.resource.kind.chosen_by)
        if options.watch:
            initial = await self._initial(target, options)
            return Watch(self._store, target, options, answers, initial, self._still(request, target))
        page = await self._reader.page(target, options)
        if target.resource.kind.kind == "ResourceQuota":
            documents = [await self._told(document) for document in page.documents]
            page = msgspec.structs.replace(page, documents=tuple(documents))
        return await asyncio.to_thread(lambda: respond(answers.page(page)))

    async def _told(self, document: Document) -> Document:
        return await self._quotas.told(self._catalogue.resources, document)

    async def _initial(self, target: Target, options: ReadOptions) -> tuple[int, Sequence[Document]]:
        """Where a watch begins, and with what: one without a revision, or from any, begins with what is there."""
        snapshot = await self._store.snapshot()
        if options.initial_events is False or (options.initial_events is None and options.revision):
            return snapshot.revision, ()
        return snapshot.revision, self._reader.chosen_of(snapshot, target, options)

    async def _create(self, request: Request, target: Target) -> Response:
        if target.resource in REVIEWS:
            asked = await read_object(request)
            asked = asked if isinstance(asked, dict) else {}
            return respond(await reviewed(target.resource, subject_of(request), asked, self._authorizer), 201)
        if target.resource.kind.namespaced and not target.namespace:
            raise bad_request("the server does not allow this method without a namespace")
        options = _write_options(request)
        answers = self._answers(request, target)
        return await _answer(answers, await self._writes.create(target, await read_object(request), options))

    async def _update(self, request: Request, target: Target) -> Response:
        options = _write_options(request)
        answers = self._answers(request, target)
        return await _answer(answers, await self._writes.update(target, await read_object(request), options))

    async def _patch(self, request: Request, target: Target) -> Response:
        options = _write_options(request)
        answers = self._answers(request, target)
        media_type = content_type(request)
        if media_type == _APPLY:
            if not request.query_params.get("fieldManager"):
                raise unprocessable("fieldManager is required for an apply patch")
            if await self._store.read(target.key) is None:
                await self._authorizer.require(subject_of(request), ask_of("create", target))
            declared = await asyncio.to_thread(from_yaml, await request.body())
            return await _answer(answers, await self._writes.apply(target, declared, options))
        edit = await asyncio.to_thread(_edit, media_type, target, await request.body())
        return await _answer(answers, await self._writes.modify(target, edit, options))

    async def _delete(self, request: Request, target: Target) -> Response:
        preconditions, dry_run = await _deletion(request)
        written = await self._writes.delete(target, preconditions, dry_run, subject_of(request))
        kind = target.resource.kind
        details = named(kind.plural, kind.group, target.name) | {"uid": written.document.uid}
        return respond(success(details), warnings=tuple(sentence(finding) for finding in written.warnings))

    async def _delete_collection(self, request: Request, target: Target) -> Response:
        if target.resource.kind.namespaced and not target.namespace:
            raise method_not_allowed()
        answers = self._answers(request, target)
        options = read_options(request.query_params, target.resource.kind.chosen_by)
        preconditions, dry_run = await _deletion(request)
        page = await self._reader.page(target, options)
        deleted = [
            await self._writes.delete(_member(target, document.key.name), preconditions, dry_run, subject_of(request))
            for document in page.documents
            if document.revision
        ]
        documents = tuple(written.document for written in deleted)
        return respond(answers.page(Page(documents=documents, revision=await self._store.revision(), token=page.token)))

    def _still(self, request: Request, target: Target) -> Callable[[], Awaitable[bool]]:
        """Whether the client of a watch may go on: its credential holds, and it may still watch."""
        ask = ask_of("watch", target)

        async def still() -> bool:
            try:
                subject = await request.state.again()
            except ApiError:
                return False
            return subject is not None and await self._authorizer.allows(subject, ask)

        return still

    def _answers(self, request: Request, target: Target) -> Answers:
        return Answers(request, target, self._clock.now())


_VERBS = {"PUT": "update", "PATCH": "patch", "POST": "create"}


def _write_options(request: Request) -> WriteOptions:
    options = write_options(request.query_params, request.headers.get("user-agent", ""))
    return msgspec.structs.replace(options, author=subject_of(request))


def _verb(request: Request, target: Target) -> str:
    """The verb of Kubernetes' authorization for a request ("Determine the request verb" in its documentation)."""
    if request.method == "GET" and not target.name:
        return "watch" if request.query_params.get("watch", "false") not in ("0", "false", "False") else "list"
    if request.method == "DELETE" and not target.name:
        return "deletecollection"
    return {"GET": "get", "DELETE": "delete"}.get(request.method) or _VERBS[request.method]


def _allowed(method: str, target: Target) -> bool:
    if target.subresource and method == "DELETE":
        return False
    if method == "DELETE":
        return ("delete" if target.name else "deletecollection") in target.resource.verbs
    return _VERBS.get(method, "get" if target.name else "list") in target.resource.verbs


async def _answer(answers: Answers, written: Written) -> Response:
    """The answer with one object, made beside the event loop when the object is large."""
    warnings = tuple(sentence(finding) for finding in written.warnings)

    def make() -> Response:
        return respond(answers.one(written.document), 201 if written.created else 200, warnings)

    return await asyncio.to_thread(make) if len(written.document.content) > _LARGE else make()


_LARGE = 64 * 1024
"""Bytes of an object from which making JSON of it would hold up the event loop."""


def _edit(media_type: str, target: Target, body: bytes) -> Edit:
    """What a patch does to an object. Raises ``ApiError`` 400 and 415."""
    accepted = [_JSON_PATCH, _MERGE_PATCH, _APPLY, *([_STRATEGIC_PATCH] if target.resource.core else [])]
    if media_type not in accepted:
        raise unsupported_media(*accepted)
    patch = from_json(body)
    if media_type == _JSON_PATCH:
        return lambda content: json_patch(content, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch must be an object")
    if media_type == _MERGE_PATCH:
        return lambda content: merge_patch(content, patch)
    return lambda content: strategic_patch(content, patch, target.resource.kind.kind)


async def _deletion(request: Request) -> tuple[Preconditions, bool]:
    """``DeleteOptions``, from the body and the query; ``propagationPolicy`` has nothing to propagate to here."""
    options = await read_object(request)
    if options is not None and not isinstance(options, dict):
        raise bad_request("the body must be DeleteOptions")
    options = options or {}
    conditions = options.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise bad_request("preconditions must be an object")
    revision = conditions.get("resourceVersion")
    preconditions = Preconditions(
        uid=_text(conditions, "uid"), revision=parse_revision(revision) if revision is not None else None
    )
    dry_run = is_dry_run(options.get("dryRun")) or is_dry_run(request.query_params.getlist("dryRun"))
    return preconditions, dry_run


def _text(content: Json, name: str) -> str | None:
    value: Any = content.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{name} must be a text")
    return value


def _member(target: Target, name: str) -> Target:
    return Target(resource=target.resource, version=target.version, namespace=target.namespace, name=name)
