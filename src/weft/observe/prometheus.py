"""Prometheus' HTTP API over series of our own: what Grafana, Kiali, Flagger and canary tools ask.

Its shapes and errors are those of https://prometheus.io/docs/prometheus/latest/querying/api/. Two questions are
answered at a time, and queries by processes of their own (``weft.observe.aside``), so that a heavy dashboard slows
dashboards and nothing else.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import promql_parser as ast

from weft.kit.clock import Clock
from weft.kit.value import Labels
from weft.observe.aside.pool import Aside
from weft.observe.promql.answering import Question, answered
from weft.observe.promql.columns import QueryError, Steps
from weft.observe.promql.evaluate import parse
from weft.observe.promql.selecting import matchers_of, milliseconds
from weft.observe.promql.series import Matcher, Source

_AT_ONCE = 2
_REST = 10.0
"""Seconds between looks for processes that have nothing to do."""
_TIMEOUT = 30.0
_MOST_POINTS = 11_000
_MOST_SERIES = 10_000
_CODES = {"bad_data": 400, "execution": 422, "timeout": 503, "unavailable": 503, "not_found": 404}

Form = Mapping[str, Sequence[str]]
"""Parameters by name; some may be given more than once."""


class Reply(NamedTuple):
    """An answer over HTTP, as JSON."""

    status: int
    content: bytes


class Kept(Source, Protocol):
    """Who keeps the series."""

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """The labels of series that were there in a time, in milliseconds."""


class PrometheusApi:
    """Answers for one keeper of series: queries ``aside``, or on threads where there is no file to read beside us."""

    def __init__(self, kept: Kept, clock: Clock, version: str, aside: Aside | None = None) -> None:
        self._kept = kept
        self._aside = aside
        self._clock = clock
        self._version = version
        self._begun = clock.now()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, question: str, form: Form) -> Reply:
        """The reply to ``query``, ``label/job/values`` and so on: what follows ``/api/v1/``."""
        try:
            work = self._work(question, form)
        except QueryError as wrong:
            return _failed(wrong)
        await self._slots.acquire()
        answer = asyncio.get_running_loop().run_in_executor(None, _replied, work)
        # Who asked may leave; the thread that answers does not, and keeps the place until then.
        answer.add_done_callback(lambda _: self._slots.release())
        return await asyncio.shield(answer)

    async def run(self) -> None:
        """End what nobody needs any more, until cancelled."""
        while self._aside is not None:
            await asyncio.sleep(_REST)
            await asyncio.to_thread(self._aside.rest)

    async def close(self) -> None:
        """End what answers."""
        if self._aside is not None:
            await asyncio.to_thread(self._aside.close)

    def _work(self, question: str, form: Form) -> Callable[[], bytes]:
        match question.split("/"):
            case ["query"]:
                return lambda: self._evaluated(self._instant(form))
            case ["query_range"]:
                return lambda: self._evaluated(_range(form))
            case _:
                looked = self._looked(question, form)
                return lambda: _done(looked())

    def _looked(self, question: str, form: Form) -> Callable[[], Any]:
        match question.split("/"):
            case ["series"]:
                return lambda: [dict(labels) for labels in self._series(form, needed=True)]
            case ["labels"]:
                return lambda: sorted({name for labels in self._series(form) for name, _ in labels})
            case ["label", name, "values"]:
                return lambda: sorted({dict(labels).get(name, "") for labels in self._series(form)} - {""})
            case ["format_query"]:
                return lambda: parse(_one(form, "query")).prettify()
            case _:
                return self._constant(question)

    def _constant(self, question: str) -> Callable[[], Any]:
        begun = datetime.fromtimestamp(self._begun).astimezone().isoformat(timespec="seconds")
        answers: dict[str, Any] = {
            "metadata": {},
            "query_exemplars": [],
            "rules": {"groups": []},
            "alerts": {"alerts": []},
            "targets": {"activeTargets": [], "droppedTargets": []},
            "status/config": {"yaml": "global:\n  scrape_interval: 5s\n"},
            "status/flags": {"query.timeout": f"{_TIMEOUT:.0f}s", "storage.tsdb.retention.time": "30d"},
            "status/runtimeinfo": {"startTime": begun, "storageRetention": "30d"},
            "status/buildinfo": {"version": f"3.0.0-weft-{self._version}", "application": "weft"},
        }
        if question not in answers:
            raise QueryError(f"there is no /api/v1/{question}", kind="not_found")
        return lambda: answers[question]

    def _instant(self, form: Form) -> Question:
        moment = _moment(form, "time", round(self._clock.now() * 1000))
        steps = Steps(start=moment, end=moment, step=1)
        return Question(query=_one(form, "query"), steps=steps, instant=True, seconds=_seconds(form))

    def _evaluated(self, question: Question) -> bytes:
        if self._aside is not None:
            return self._aside.answer(question)
        deadline = self._clock.monotonic() + question.seconds
        return answered(question, self._kept, lambda: self._clock.monotonic() > deadline)

    def _series(self, form: Form, *, needed: bool = False) -> list[Labels]:
        now = round(self._clock.now() * 1000)
        chosen = [_selector(text) for text in form.get("match[]", ())]
        if needed and not chosen:
            raise QueryError("no match[] parameter provided", kind="bad_data")
        start, end = _moment(form, "start", 0), _moment(form, "end", now)
        found = {labels for matchers in chosen or [()] for labels in self._kept.series(matchers, start, end)}
        return sorted(found)[: _whole(form, "limit", _MOST_SERIES)]


def _range(form: Form) -> Question:
    return Question(query=_one(form, "query"), steps=_steps(form), instant=False, seconds=_seconds(form))


def _seconds(form: Form) -> float:
    """How long the answer may take."""
    asked = form.get("timeout")
    return min(_duration("timeout", asked[0]) / 1000 if asked else _TIMEOUT, _TIMEOUT)


def _replied(work: Callable[[], bytes]) -> Reply:
    try:
        return Reply(200, work())
    except QueryError as wrong:
        return _failed(wrong)


def _done(data: Any) -> bytes:
    return msgspec.json.encode({"status": "success", "data": data})


def _failed(wrong: QueryError) -> Reply:
    message = f"{wrong.message}; {wrong.help}" if wrong.help else wrong.message
    # ``message`` is where weft's own command line looks, as in Kubernetes' ``Status``.
    body = {"status": "error", "errorType": wrong.kind, "error": message, "message": message}
    return Reply(_CODES.get(wrong.kind, 500), msgspec.json.encode(body))


def _steps(form: Form) -> Steps:
    start, end = _moment(form, "start", None), _moment(form, "end", None)
    step = _duration("step", _one(form, "step"))
    if end < start:
        raise _bad("end", "end timestamp must not be before start time")
    if step <= 0:
        raise _bad("step", "zero or negative query resolution step widths are not accepted")
    if (end - start) / step > _MOST_POINTS:
        raise QueryError(f"more than {_MOST_POINTS} points for a series: choose longer steps", kind="bad_data")
    return Steps(start=start, end=end, step=step)


def _one(form: Form, name: str) -> str:
    values = form.get(name)
    if not values:
        raise _bad(name, "it is missing")
    return values[0]


def _moment(form: Form, name: str, default: int | None) -> int:
    """A time in milliseconds, given as seconds or as RFC 3339."""
    if not form.get(name) and default is not None:
        return default
    text = _one(form, name)
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise _bad(name, f"cannot parse {text!r} to a valid timestamp") from None
    if not math.isfinite(seconds) or abs(seconds) > 1e11:
        raise _bad(name, f"cannot parse {text!r} to a valid timestamp")
    return round(seconds * 1000)


def _duration(name: str, text: str) -> int:
    """A duration in milliseconds, given as seconds or in Prometheus' words (``1m30s``)."""
    try:
        seconds = float(text)
        return round(seconds * 1000) if math.isfinite(seconds) else _unparsed(name, text)
    except ValueError:
        try:
            return milliseconds(ast.parse_duration(text))
        except ValueError:
            return _unparsed(name, text)


def _unparsed(name: str, text: str) -> int:
    raise _bad(name, f"cannot parse {text!r} to a valid duration")


def _whole(form: Form, name: str, most: int) -> int:
    values = form.get(name)
    if not values:
        return most
    if not values[0].isdecimal():
        raise _bad(name, "limit must be non-negative")
    return min(int(values[0]) or most, most)


def _selector(text: str) -> tuple[Matcher, ...]:
    parsed = parse(text)
    if not isinstance(parsed, ast.VectorSelector):
        raise _bad("match[]", f"{text!r} is no selector of series")
    return matchers_of(parsed)


def _bad(name: str, problem: str) -> QueryError:
    return QueryError(f'invalid parameter "{name}": {problem}', kind="bad_data")
