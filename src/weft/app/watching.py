"""What watches the mesh, composed: objectives, the book of alerts, who is told, and what happened."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

from weft.alerting.book import Book
from weft.alerting.sender import Sender
from weft.anomalies.keeper import Keeper as Anomalies
from weft.anomalies.keeper import seen_in
from weft.app.config import Config
from weft.duties.chronicle import Chronicle
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.tasks import Tasks
from weft.kit.value import Labels, labels_of
from weft.model.alert import Alert
from weft.model.mesh import Mesh
from weft.observe.happenings import Happenings
from weft.observe.own_metrics import Metric, Sample, by_label, counter
from weft.observe.traffic import Traffic
from weft.observe.windows.store import Windows
from weft.slo.budget import Standing
from weft.slo.keeper import Keeper, told
from weft.store.source import Store


class Watching:
    """``objectives`` and ``book`` are asked by the API; ``numbers`` are for ``/metrics``."""

    def __init__(self, config: Config, store: Store, latest: Latest[Mesh], windows: Windows, clock: Clock) -> None:
        self.book = Book(store, clock)
        self.happenings = Happenings(config.state.events, clock)
        self.chronicle = Chronicle(self.happenings, clock)
        self.sender = Sender(self.book, store, clock, config.alerts_to, config.alert_networks)
        self.objectives = Keeper(windows, latest, clock, lambda alerts: self.say("slo", alerts))
        self.anomalies = Anomalies(
            Traffic(windows, clock),
            windows.born,
            seen_in(windows),
            self.happenings.newest,
            lambda: latest.value.revision if latest.value else 0,
            clock,
            lambda alerts: self.say("anomaly", alerts),
        )
        self._looks_for_anomalies = config.anomalies

    async def start(self, group: Tasks) -> None:
        """Remember which alerts are on, and begin to watch; the mesh is there."""
        await self.book.recall()
        self.objectives.resume(self.book.alerts())
        group.start(self.book.run(), "book of alerts")
        group.start(self.sender.run(), "alerts")
        group.start(self.objectives.run(), "objectives")
        if self._looks_for_anomalies:
            group.start(self.anomalies.run(), "anomalies")
        else:
            self.say("anomaly", ())

    def say(self, kind: str, alerts: tuple[Alert, ...]) -> None:
        """Say which alerts of a kind are on now."""
        self.chronicle.alerted(self.book.update(kind, alerts))

    async def close(self) -> None:
        """Write what is left of events and alerts."""
        await self.book.write()
        await asyncio.to_thread(self.happenings.close)

    def numbers(self) -> Iterator[Metric]:
        """Objectives, alerts, and how telling them went."""
        standings = self.objectives.standings
        yield _of_each("weft_slo_objective_ratio", "The share of calls that must be good.", standings, _target)
        yield _of_each("weft_slo_good_ratio", "The share of calls that were, within the window.", standings, _ratio)
        yield _of_each("weft_slo_budget_remaining_ratio", "The share of the budget that is left.", standings, _left)
        yield _burn_rates(standings)
        firing = Counter(one.kind for one in self.book.alerts() if one.firing)
        values = {kind: float(firing[kind]) for kind in ("anomaly", "health", "slo")}
        yield by_label("weft_alerts_firing", "Alerts that are on.", "kind", values, "gauge")
        yield counter("weft_alerts_refused_total", "Alerts that found no place.", self.book.refused)
        yield counter("weft_events_total", "Events that were noted.", self.happenings.noted)
        yield counter("weft_events_dropped_total", "Events that found no place.", self.happenings.dropped)
        yield from self._tellings()

    def _tellings(self) -> Iterator[Metric]:
        sent: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for one in self.sender.status():
            sent[one.kind] += one.sent
            failed[one.kind] += one.failed + one.refused
        for name, about, counts in (
            ("weft_alert_notifications_total", "Alerts that were delivered, by kind of target.", sent),
            ("weft_alert_notifications_failed_total", "Deliveries that went wrong.", failed),
        ):
            values = {kind: float(counts[kind]) for kind in ("alertmanager", "slack", "webhook")}
            yield by_label(name, about, "target", values)


def _labels(one: Standing) -> Labels:
    objective = one.objective
    return labels_of(
        {
            "namespace": objective.key.namespace,
            "slo": objective.name,
            "objective": str(objective.place),
            "service": objective.service,
        }
    )


def _target(one: Standing) -> float | None:
    return one.objective.target


def _ratio(one: Standing) -> float | None:
    return one.share.ratio


def _left(one: Standing) -> float | None:
    return one.left


def _of_each(
    name: str, about: str, standings: tuple[Standing, ...], value: Callable[[Standing], float | None]
) -> Metric:
    found = ((one, value(one)) for one in standings)
    samples = tuple(Sample(value=amount, labels=_labels(one)) for one, amount in found if amount is not None)
    return Metric(name=name, help=about, kind="gauge", samples=samples)


def _burn_rates(standings: tuple[Standing, ...]) -> Metric:
    rows = ((one, window, one.burn(window)) for one in standings for window, _ in one.shares)
    samples = tuple(
        Sample(value=burn, labels=tuple(sorted((*_labels(one), ("window", told(window))))))
        for one, window, burn in rows
        if burn is not None
    )
    about = "How many times as fast as it lasts the budget is used."
    return Metric(name="weft_slo_burn_rate", help=about, kind="gauge", samples=samples)
