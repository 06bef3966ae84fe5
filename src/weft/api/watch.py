"""Watches: JSON lines of what happened to the selected objects, for as long as the client reads them.

A watch reads the store's log at its own pace; one that falls further behind than the log reaches gets 410 and lists
again. An object whose labels leave the selection is told as deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weft.api.answers import Answers
from weft.api.errors import ApiError, Json, expired, unavailable
from weft.api.lists import selects
from weft.api.negotiate import encode
from weft.api.options import ReadOptions
from weft.api.paths import Target
from weft.kit.tasks import Tasks, tasks
from weft.model.document import Document
from weft.store.source import Change, ChangeKind, Compacted, Store, StoreUnavailable

_BOOKMARK_EVERY = 60.0
_BATCH = 100
_CHECK_EVERY = 2.0


class Watch(Response):
    """The answer to a watch."""

    media_type = "application/json"

    def __init__(
        self,
        store: Store,
        target: Target,
        options: ReadOptions,
        answers: Answers,
        initial: tuple[int, Sequence[Document]],
        still: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._store = store
        self._target = target
        self._options = options
        self._answers = answers
        self._since, self._initial = initial
        self._still = still
        self._sent_any = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the time is up, the client is gone or the log is lost."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with tasks() as group:
            gone = group.start(_disconnect(receive), "watch: disconnect")
            sending = group.start(self._send_events(send), "watch: events")
            barred = group.start(self._barred(), "watch: permission")
            await asyncio.wait({gone, sending, barred}, return_when=asyncio.FIRST_COMPLETED)
            ended = barred.done() or sending.done()
        if ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        since, initial = self._since, self._initial
        self._initial = ()  # a watch outlives what it began with
        for start in range(0, len(initial), _BATCH):
            batch = initial[start : start + _BATCH]
            await _send(send, b"".join(self._line("ADDED", document, document.revision) for document in batch))
            await asyncio.sleep(0)  # a long list must not keep others waiting
        if self._options.initial_events and self._options.bookmarks:
            await _send(send, self._bookmark(since, initial=True))
        if self._options.initial_events is not True and self._options.revision:
            since = self._options.revision
        deadline = asyncio.get_running_loop().time() + self._options.timeout
        async with aclosing(self._store.changes(since)) as changes, tasks() as group:  # type: ignore[type-var]
            await self._follow(changes, since, deadline, send, group)

    async def _follow(
        self, changes: AsyncIterator[Change], since: int, deadline: float, send: Send, group: Tasks
    ) -> None:
        pending = group.start(_next(changes), "watch: next change")
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            done, _ = await asyncio.wait({pending}, timeout=min(left, _BOOKMARK_EVERY))
            if not done:
                await self._send_bookmark(send, since)
                continue
            change = pending.result()
            if isinstance(change, ApiError):
                await _send(send, _event("ERROR", change.status()))
                return
            since = change.document.revision
            await _send(send, self._told(change))
            pending = group.start(_next(changes), "watch: next change")

    async def _send_bookmark(self, send: Send, since: int) -> None:
        if self._options.bookmarks:
            await _send(send, self._bookmark(since))

    async def _barred(self) -> None:
        """Return when the client may no longer watch: its token was revoked, has expired, or a role was taken away."""
        while True:
            if not await self._still():
                return
            await asyncio.sleep(_CHECK_EVERY)

    def _told(self, change: Change) -> bytes:
        """The event that a change is to this watch: an arrival, a change, a departure, or nothing."""
        if not self._target.resource.holds(change.document.key):
            return b""
        before = change.previous is not None and self._selects(change.previous)
        after = change.kind is not ChangeKind.DELETED and self._selects(change.document)
        match before, after:
            case False, True:
                return self._line("ADDED", change.document, change.document.revision)
            case True, True:
                return self._line("MODIFIED", change.document, change.document.revision)
            case True, False:
                return self._line("DELETED", change.previous or change.document, change.document.revision)
        return b""

    def _selects(self, document: Document) -> bool:
        return selects(self._target, self._options, document)

    def _line(self, kind: str, document: Document, revision: int) -> bytes:
        first, self._sent_any = not self._sent_any, True
        return _event(kind, self._answers.event(document, revision, first))

    def _bookmark(self, revision: int, initial: bool = False) -> bytes:
        return _event("BOOKMARK", self._answers.bookmark(revision, initial))


def _event(kind: str, content: Json) -> bytes:
    return encode({"type": kind, "object": content}) + b"\n"


async def _send(send: Send, body: bytes) -> None:
    """Nothing is said with no bytes; the first call has sent the headers already."""
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _next(changes: AsyncIterator[Change]) -> Change | ApiError:
    """The next change, or why there will be none."""
    try:
        return await anext(changes)
    except Compacted as compacted:
        return expired(f"too old resource version: {compacted}")
    except StoreUnavailable as failure:
        return unavailable(str(failure))


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
