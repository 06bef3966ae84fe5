"""Live requests: ``GET /weft/v1/tap`` answers with a line of JSON for each, as long as somebody reads them.

It needs the verb ``tap`` on ``services`` where they are watched, and on ``services/bodies`` for bodies. That somebody
watches is in the audit log from its beginning to its end, with what was looked for; what was seen is not. It ends when
the reader is gone or does not read, when time is up, and when the right or the credential ends.
"""

from typing import Any, Protocol

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError
from weft.api.gate import subject_of
from weft.api.negotiate import respond
from weft.api.permissions import Ask
from weft.api.streaming import GONE, LineStream, Tell
from weft.api.subjects import Subject
from weft.api.tap_lines import exchange_json
from weft.api.tap_question import Question, question_of
from weft.kit.clock import Clock
from weft.kit.redaction import Redactor
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.model.tap import Exchange
from weft.observe.tap.board import MOST_WATCHERS, Board, Watcher
from weft.observe.tap.shown import shown

VERB = "tap"
_STATE_EVERY = 2.0
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
        stream = _Stream(tapped, watcher, question, told, clock)
        return LineStream(stream.lines, still, stream.closed)

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


class _Stream:
    """What is told of one watcher, from the beginning to the end."""

    def __init__(self, tapped: Tapped, watcher: Watcher, question: Question, told: _Told, clock: Clock) -> None:
        self._tapped = tapped
        self._watcher = watcher
        self._question = question
        self._told = told
        self._clock = clock
        self._began = clock.monotonic()
        told.write("begun")

    async def lines(self, tell: Tell) -> str:
        """Lines until time is up or there were enough; now and then one that says how it goes."""
        deadline, due = self._began + self._question.seconds, self._began
        while self._watcher.told < self._question.most:
            now = self._clock.monotonic()
            if now >= deadline:
                return "time"
            if now >= due:
                due = now + _STATE_EVERY
                if not await tell(self._state("state")):
                    return GONE
            seen = await self._watcher.next(min(due, deadline) - now)
            if seen is not None and not await tell(self._shown(seen)):
                return GONE
        return "max"

    def closed(self, reason: str) -> dict[str, Any]:
        """Switch everything off, and write the end down."""
        self._tapped.board.leave(self._watcher)
        seen, seconds = self._watcher, self._clock.monotonic() - self._began
        self._told.write(f"ended ({reason}) after {seconds:.0f} s with {seen.told} told, {seen.dropped} dropped")
        return self._state("end")

    def _shown(self, seen: Exchange) -> dict[str, Any]:
        return exchange_json(shown(seen, self._question.showing, self._tapped.redactor))

    def _state(self, kind: str) -> dict[str, Any]:
        seen = self._watcher
        proxies = sorted(name for name, _ in seen.proxies)
        return {"type": kind, "proxies": proxies, "told": seen.told, "dropped": seen.dropped, "lost": seen.lost}
