"""Live requests: ``GET /weft/v1/tap`` answers with a line of JSON for each, as long as somebody reads them.

It needs the verb ``tap`` on ``services`` where they are watched, and on ``services/bodies`` for bodies. That somebody
watches is in the audit log from its beginning to its end, with what was looked for; what was seen is not. It ends when
the reader is gone or does not read, when time is up, and when the right or the credential ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError
from weft.api.gate import subject_of
from weft.api.negotiate import respond
from weft.api.permissions import Ask
from weft.api.subjects import Subject
from weft.api.tap_lines import exchange_json, line_of
from weft.api.tap_question import Question, question_of
from weft.kit.clock import Clock
from weft.kit.redaction import Redactor
from weft.kit.tasks import tasks
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.observe.tap.board import MOST_WATCHERS, Board, Watcher
from weft.observe.tap.shown import shown

VERB = "tap"
_STATE_EVERY = 2.0
_CHECK_EVERY = 2.0
_PATIENCE = 10.0
_MOST_DETAIL = 1000


class Tapped(Protocol):
    """What is watched, and by whom."""

    board: Board
    redactor: Redactor

    def service_host(self, name: str, namespace: str) -> str:
        """The host of a service."""
        ...


def tap_routes(tapped: Tapped, authorizer: Authorizer, auditor: Auditor, clock: Clock) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def tap(request: Request) -> Response:
        try:
            return await _watch(request)
        except ApiError as error:
            return respond(error.status(), error.code)

    async def _watch(request: Request) -> Response:
        question = question_of(request.query_params, tapped.redactor)
        subject = subject_of(request)
        for ask in asks_of(question):
            await authorizer.require(subject, ask)
        if question.looking.service:
            host = tapped.service_host(question.looking.service, question.target.namespace)
            question = replace(question, looking=replace(question.looking, service=host))
        watcher = tapped.board.enter(question.target, question.side, question.looking, question.showing)
        if watcher is None:
            raise ApiError(429, "TooManyRequests", f"{MOST_WATCHERS} watch already, which is the most")

        async def still() -> bool:
            again = request.scope["state"].get("again")
            now: Subject | None = await again() if again else subject
            return now is not None and all([await authorizer.allows(now, ask) for ask in asks_of(question)])

        told = _Told(auditor, subject, question, request.client.host if request.client else "")
        return TapStream(tapped, watcher, question, still, told, clock)

    return [Route("/weft/v1/tap", tap, methods=["GET"])]


def asks_of(question: Question) -> tuple[Ask, ...]:
    """What somebody must be allowed to do for it."""
    target = question.target
    lines = Ask(verb=VERB, resource="services", namespace=target.namespace, name=target.service)
    return (lines, replace(lines, subresource="bodies")) if question.showing.body else (lines,)


class _Told:
    """Writes the beginning and the end into the audit log."""

    def __init__(self, auditor: Auditor, subject: Subject, question: Question, source: str) -> None:
        self._auditor = auditor
        self._subject = subject
        self._question = question
        self._source = source

    def write(self, detail: str) -> None:
        subject, question = self._subject, self._question
        entry = AuditEntry(
            verb=VERB,
            who=subject.via or subject.name,
            groups=subject.groups,
            acting_as=subject.name if subject.via else "",
            credential=subject.credential,
            outcome=Outcome.ALLOWED,
            resource="services/bodies" if question.showing.body else "services",
            namespace=question.target.namespace,
            name=question.target.service,
            source=self._source,
            detail=f"{detail}: {question.told}"[:_MOST_DETAIL],
        )
        self._auditor(entry)


class TapStream(Response):
    """The answer: lines until somebody or something ends it."""

    media_type = "application/x-ndjson"

    def __init__(
        self,
        tapped: Tapped,
        watcher: Watcher,
        question: Question,
        still: Callable[[], Awaitable[bool]],
        told: _Told,
        clock: Clock,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._tapped = tapped
        self._watcher = watcher
        self._question = question
        self._still = still
        self._told = told
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send lines, and switch everything off at the end, whatever that was."""
        began, reason = self._clock.monotonic(), "lost"
        self._told.write("begun")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            reason = await self._until_ended(receive, send)
        finally:
            self._tapped.board.leave(self._watcher)
            seen, seconds = self._watcher, self._clock.monotonic() - began
            self._told.write(f"ended ({reason}) after {seconds:.0f} s with {seen.told} told, {seen.dropped} dropped")
        if reason != "gone":
            last = line_of(self._state() | {"type": "end", "reason": reason})
            await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _until_ended(self, receive: Receive, send: Send) -> str:
        async with tasks() as group:
            gone = group.start(_disconnect(receive), "tap: disconnect")
            sending = group.start(self._lines(send), "tap: lines")
            barred = group.start(self._barred(), "tap: permission")
            await asyncio.wait({gone, sending, barred}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                ended: str = sending.result()
                return ended
            return "gone" if gone.done() else "no longer allowed"

    async def _lines(self, send: Send) -> str:
        """Lines until time is up or there were enough; now and then one that says how it goes."""
        deadline, due = self._clock.monotonic() + self._question.seconds, self._clock.monotonic()
        while self._watcher.told < self._question.most:
            now = self._clock.monotonic()
            if now >= deadline:
                return "time"
            if now >= due:
                due = now + _STATE_EVERY
                if not await _sent(send, line_of(self._state())):
                    return "gone"
            seen = await self._watcher.next(min(due, deadline) - now)
            if seen is not None:
                line = line_of(exchange_json(shown(seen, self._question.showing, self._tapped.redactor)))
                if not await _sent(send, line):
                    return "gone"
        return "max"

    async def _barred(self) -> None:
        """Return when the reader may no longer watch."""
        while True:
            if not await self._still():
                return
            await asyncio.sleep(_CHECK_EVERY)

    def _state(self) -> dict[str, Any]:
        seen = self._watcher
        proxies = sorted(name for name, _ in seen.proxies)
        return {"type": "state", "proxies": proxies, "told": seen.told, "dropped": seen.dropped, "lost": seen.lost}


async def _sent(send: Send, line: bytes) -> bool:
    """Whether the reader took a line in time: who does not read does not watch."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await send({"type": "http.response.body", "body": line, "more_body": True})
    except TimeoutError:
        return False
    return True


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
