"""Logs of workloads: ``GET /weft/v1/namespaces/{namespace}/workloads/{name}/log``, lines of JSON with text in them.

It needs the verb ``get`` on ``workloads/log`` in the group ``weft.dev``, and is in the audit log.
"""

import codecs
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import WEFT_GROUP
from weft.api.errors import ApiError, bad_request
from weft.api.gate import subject_of
from weft.api.negotiate import respond
from weft.api.permissions import Ask
from weft.api.questions import missing
from weft.api.streaming import GONE, LineStream, Tell
from weft.api.subjects import Subject
from weft.kit.clock import Clock
from weft.model.audit import AuditEntry, Auditor, Outcome
from weft.observe.logs import MOST_READERS, SOURCES, LogDesk, Question, Reading

_LONGEST = 3600.0
_ALIVE = 5.0
_UNHEARD = 20.0
_MOST_LINES = 100_000


def log_routes(
    desk: LogDesk, known: Callable[[str, str], bool], authorizer: Authorizer, auditor: Auditor, clock: Clock
) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``. ``known`` says whether there is a workload of a namespace and
    a name."""

    async def log(request: Request) -> Response:
        try:
            return await _read(request)
        except ApiError as error:
            return respond(error.status(), error.code)

    async def _read(request: Request) -> Response:
        question, subject = question_of(request, clock.now()), subject_of(request)
        ask = Ask(
            verb="get",
            group=WEFT_GROUP,
            resource="workloads",
            subresource="log",
            namespace=question.namespace,
            name=question.workload,
        )
        await authorizer.require(subject, ask)
        if not known(question.namespace, question.workload):
            raise missing(f"there is no workload {question.workload} in the namespace {question.namespace}")
        reading = desk.enter(question)
        if reading is None:
            raise ApiError(429, "TooManyRequests", f"{MOST_READERS} read logs already, which is the most")

        async def still() -> bool:
            again = request.scope["state"].get("again")
            now: Subject | None = await again() if again else subject
            return now is not None and await authorizer.allows(now, ask)

        def closed(_: str) -> dict[str, Any]:
            desk.leave(reading)
            return {}

        auditor(_entry(request, subject, question))
        return LineStream(lambda tell: _lines(reading, tell, clock), still, closed)

    return [Route("/weft/v1/namespaces/{namespace}/workloads/{name}/log", log, methods=["GET"])]


def question_of(request: Request, now: float) -> Question:
    """What is asked for. Raises ``ApiError`` 400."""
    params, place = request.query_params, request.path_params
    source, since = params.get("source", "app"), params.get("sinceSeconds")
    if source not in SOURCES:
        raise bad_request(f"there is no log {source[:100]!r} (help: {', '.join(SOURCES)})")
    return Question(
        namespace=place["namespace"],
        workload=place["name"],
        source=source,
        tail=round(_number(params.get("tail", "-1"), -1, _MOST_LINES, "tail")),
        since=now - _number(since, 0, 1e10, "sinceSeconds") if since else None,
        follow=params.get("follow") == "true",
    )


def _number(text: str, least: float, most: float, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise bad_request(f"{name} is a number from {least:g} to {most:g}, not {text[:100]!r}")
    return number


async def _lines(reading: Reading, tell: Tell, clock: Clock) -> str:
    """Tell text as it comes; why it ends."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    began = clock.monotonic()
    while True:
        piece = await reading.next(_ALIVE)
        if piece is None and reading.ended:
            return "end"
        if piece is None and (reason := _over(reading, clock.monotonic() - began)):
            return reason
        told: dict[str, Any] = {"type": "state"}
        if piece is not None:
            told = {"type": "text", "text": decoder.decode(piece.content), "skipped": piece.skipped}
        if not await tell(told):
            return GONE


def _over(reading: Reading, seconds: float) -> str:
    """Why nobody waits longer, if so."""
    if seconds > _LONGEST:
        return "time"
    return "its agent does not answer" if not reading.heard and seconds > _UNHEARD else ""


def _entry(request: Request, subject: Subject, question: Question) -> AuditEntry:
    return AuditEntry(
        verb="get",
        who=subject.via or subject.name,
        groups=subject.groups,
        acting_as=subject.name if subject.via else "",
        credential=subject.credential,
        outcome=Outcome.ALLOWED,
        group=WEFT_GROUP,
        resource="workloads/log",
        namespace=question.namespace,
        name=question.workload,
        code=200,
        source=request.client.host if request.client else "",
        detail=f"{question.source}{', follow' if question.follow else ''}",
    )
