"""Tells everybody who should know of an alert: what the book says that they do not know yet.

There is no queue that could overflow: what is to be told follows from the book. Each target is told by a task of its
own, so one that hangs delays nobody else; one that fails is tried again, with pauses that grow.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import structlog

from weft.alerting.book import FIRING, RESOLVED, Book, Entry
from weft.alerting.formats import message_of
from weft.alerting.posting import Refused, Undelivered, posted
from weft.alerting.targets import EVERYWHERE, Address, Documents, Place, Unusable, address_of
from weft.jwks.places import Network
from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.kit.tasks import Tasks, tasks
from weft.kit.value import Value
from weft.model.alert import Alert
from weft.model.objective import Target

PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
_LOOK = 1.0
_REPEAT = 60.0
"""How often Alertmanager hears of what goes on: it forgets what it does not. It is never given up for longer."""
_ENDED = 900.0
"""How long Alertmanager hears of an end, as from Prometheus: it keeps alerts in memory alone, and tells receivers of
an end minutes later; one that starts anew in between would leave them with an alert that goes on."""
_AT_ONCE = 50
_log = structlog.get_logger()


class Telling(Value):
    """How a target does. ``problem`` is why nothing arrives now, "" if it does."""

    to: str
    kind: str
    namespace: str = ""
    sent: int = 0
    failed: int = 0
    refused: int = 0
    problem: str = ""


class _News(NamedTuple):
    """One thing that one target is to be told."""

    alert: Alert
    state: str


class _Teller:
    """One target: how to have its address, and how it did."""

    def __init__(self, name: str, kind: str, namespace: str = "") -> None:
        self.name, self.kind, self.namespace = name, kind, namespace
        self.sent = self.failed = self.refused = 0
        self.problem = ""
        self.pause = _FIRST_PAUSE
        self.not_before = 0.0
        self.busy = False
        self.repeated: dict[str, tuple[str, float]] = {}

    def status(self) -> Telling:
        """How it does."""
        return Telling(
            to=self.name,
            kind=self.kind,
            namespace=self.namespace,
            sent=self.sent,
            failed=self.failed,
            refused=self.refused,
            problem=self.problem,
        )


class Sender:
    """``places`` are the operator's and are told everything; ``allowed`` are networks that are not public to which
    documents may send. ``leads``: whether this control plane is the one that tells."""

    def __init__(
        self,
        book: Book,
        documents: Documents,
        clock: Clock,
        places: tuple[Place, ...] = (),
        allowed: tuple[Network, ...] = (),
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._book = book
        self._documents = documents
        self._clock = clock
        self._places = {one.id: one for one in places}
        self._allowed = allowed
        self._leads = leads
        self._tellers: dict[str, _Teller] = {}

    def status(self) -> tuple[Telling, ...]:
        """How every target does that was told something."""
        return tuple(self._tellers[name].status() for name in sorted(self._tellers))

    async def run(self) -> None:
        """Tell until cancelled."""
        async with tasks() as group:
            while True:
                if self._leads():
                    self.look(group)
                try:
                    async with asyncio.timeout(_LOOK):
                        await self._book.news.wait()
                except TimeoutError:
                    pass
                self._book.news.clear()

    def look(self, group: Tasks) -> None:
        """Begin to tell what is to be told."""
        now = self._clock.monotonic()
        for name, (target, news) in self._wanted().items():
            teller = self._tellers.get(name) or self._met(name, target)
            if teller.busy or now < teller.not_before:
                continue
            due = [one for one in news if self._is_due(teller, one)][:_AT_ONCE]
            if due:
                teller.busy = True
                group.start(self._tell(teller, target, due), "alerts to a target")

    def _met(self, name: str, target: Target | Place) -> _Teller:
        space = target.namespace if isinstance(target, Target) else ""
        self._tellers[name] = _Teller(name, target.kind, space)
        return self._tellers[name]

    def _wanted(self) -> dict[str, tuple[Target | Place, list[_News]]]:
        """By target: what it does not know, or is told again and again."""
        found: dict[str, tuple[Target | Place, list[_News]]] = {}
        for entry in reversed(self._book.entries()):
            for name, target in self._targets(entry.alert):
                if (news := self._news(entry, name, target)) is not None:
                    found.setdefault(name, (target, []))[1].append(news)
        return found

    def _targets(self, alert: Alert) -> Iterator[tuple[str, Target | Place]]:
        yield from self._places.items()
        for target in alert.targets:
            yield f"{target.namespace}/{target.name}", target

    def _news(self, entry: Entry, name: str, target: Target | Place) -> _News | None:
        """An end is told to those who were told of the beginning, and to those who want ends alone."""
        alert, told, own = entry.alert, entry.told_to(name), isinstance(target, Place)
        if alert.firing:
            if not (alert.fires or own):
                return None
            return None if told == FIRING and target.kind != "alertmanager" else _News(alert, FIRING)
        if not (alert.resolves or own):
            return None
        if told == RESOLVED and not (target.kind == "alertmanager" and self._ended_lately(alert)):
            return None
        knew = told in (FIRING, RESOLVED) or not (alert.fires or own)
        return _News(alert, RESOLVED) if knew else None

    def _ended_lately(self, alert: Alert) -> bool:
        return alert.ended is not None and self._clock.now() - alert.ended < _ENDED

    def _is_due(self, teller: _Teller, news: _News) -> bool:
        state, at = teller.repeated.get(news.alert.id, ("", 0.0))
        return state != news.state or self._clock.monotonic() - at >= _REPEAT

    async def _tell(self, teller: _Teller, target: Target | Place, due: list[_News]) -> None:
        try:
            address = target.current() if isinstance(target, Place) else await address_of(target, self._documents)
            allowed = EVERYWHERE if isinstance(target, Place) else self._allowed
            problems = [await self._deliver(teller, some, address, allowed) for some in _parcels(teller.kind, due)]
            teller.problem, teller.pause = next(filter(None, problems), ""), _FIRST_PAUSE
        except (Undelivered, Unusable, WeftError) as failure:
            self._failed(teller, str(failure))
        finally:
            teller.busy = False
            kept = {one.id for one in self._book.alerts()}
            teller.repeated = {name: last for name, last in teller.repeated.items() if name in kept}

    async def _deliver(self, teller: _Teller, some: list[_News], address: Address, allowed: tuple[Network, ...]) -> str:
        """Tell what goes together; why it was refused, "" if it was taken. Raises ``Undelivered``."""
        message = message_of(teller.kind, [one.alert for one in some], self._clock.now(), address.key)
        if address.authorization:
            message = message._replace(headers=(*message.headers, ("authorization", address.authorization)))
        problem = ""
        try:
            await posted(address.url, message, allowed, PATIENCE, address.trust)
            teller.sent += len(some)
        except Refused as refused:
            teller.refused += len(some)
            problem = f"an alert was refused: {refused}"
            for news in some:
                _log.error("an alert was refused", to=teller.name, alert=news.alert.id, reason=str(refused))
        for news in some:
            teller.repeated[news.alert.id] = (news.state, self._clock.monotonic())
            self._book.note(news.alert, teller.name, news.state)
        return problem

    def _failed(self, teller: _Teller, why: str) -> None:
        teller.failed += 1
        if why != teller.problem:
            _log.warning("alerts are not delivered", to=teller.name, reason=why)
        teller.problem = why
        teller.not_before = self._clock.monotonic() + teller.pause
        teller.pause = min(teller.pause * 2, _REPEAT if teller.kind == "alertmanager" else _LONGEST_PAUSE)


def _parcels(kind: str, due: list[_News]) -> list[list[_News]]:
    """What goes by one request. Alertmanager gets all at once, and first what may inhibit the rest: it may tell its
    receivers of each as soon as it has it."""
    if kind == "alertmanager":
        return [sorted(due, key=lambda one: one.alert.severity != "page")]
    return [[one] for one in due]
