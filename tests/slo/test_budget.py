"""Budgets and burn rates: exact by hand-made histories, and alerts that begin and end when the workbook says."""

import pytest

from weft.kit.clock import FakeClock
from weft.kit.latest import Latest
from weft.kit.value import labels_of
from weft.model.alert import Alert
from weft.model.document import Key
from weft.model.mesh import Mesh
from weft.model.objective import DEFAULT_RULES, AlertRule, Counted, LabelCondition, Objective
from weft.observe.promql.series import NAME
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows
from weft.slo.budget import Standing, State, breached, burn_of, windows_of
from weft.slo.counting import Read, Share, share_of
from weft.slo.keeper import Keeper, told

HOST = "reviews.shop.svc.cluster.local"
REVIEWS = (LabelCondition(label="destination_service", operator="=", value=HOST),)
ALL = Counted(metric="istio_requests_total", conditions=REVIEWS, once=True)
GOOD = Counted(metric="istio_requests_total", conditions=REVIEWS, once=True, outcome="good")
HOUR = 3600.0


def objective(target: float = 0.99, window: float = 30 * 86_400.0, rules: tuple[AlertRule, ...] = ()) -> Objective:
    key = Key(group="openslo", kind="SLO", namespace="shop", name="reviews")
    return Objective(
        key=key, name="reviews", service="reviews", target=target, window=window, total=ALL, good=GOOD, rules=rules
    )


def labels(
    code: str = "200", reporter: str = "source", source: str = "web", **more: str
) -> tuple[tuple[str, str], ...]:
    return labels_of(
        {
            NAME: "istio_requests_total",
            "reporter": reporter,
            "source_workload": source,
            "source_workload_namespace": "shop",
            "destination_service": HOST,
            "request_protocol": "http",
            "response_code": code,
            **more,
        }
    )


class Past:
    """Windows that are written step by step."""

    def __init__(self) -> None:
        self.clock = FakeClock(1_700_000_000.0)
        self.windows = Windows(None)
        self.windows.tick(self.now)

    @property
    def now(self) -> int:
        return round(self.clock.now() * 1000)

    def step(self, calls: int, bad: int, seconds: float = 5.0) -> None:
        """Some calls, and the step that they are in is over."""
        self.windows.count(labels(), calls - bad)
        if bad:
            self.windows.count(labels("503"), bad)
        self.clock.advance(seconds)
        self.windows.tick(self.now)


def test_good_and_bad_calls_are_counted_exactly_and_each_call_once():
    past = Past()
    past.windows.count(labels(), 90)
    past.windows.count(labels("503"), 10)
    past.windows.count(labels(reporter="destination"), 95)
    past.windows.count(labels(reporter="destination", source="outside"), 7)
    past.windows.count(labels("200", grpc_response_status="14", request_protocol="grpc"), 3)
    past.windows.count(labels_of(dict(labels()) | {"destination_service": "other"}), 1000)
    past.clock.advance(5)
    past.windows.tick(past.now)
    share = share_of(past.windows, objective(), past.now - 60_000, past.now)
    assert share == Share(110.0, 13.0)


def test_calls_within_a_bound_are_counted_by_their_latencies():
    past = Past()
    times = labels_of(dict(labels()) | {NAME: "istio_request_duration_milliseconds"})
    past.windows.observe(times, Sketch.of_values([10.0] * 80 + [300.0] * 20), 100, 6800.0)
    past.clock.advance(5)
    past.windows.tick(past.now)
    what = Counted(metric="istio_request_duration_milliseconds", conditions=REVIEWS, once=True)
    fast = Counted(metric="istio_request_duration_milliseconds", conditions=REVIEWS, once=True, within=250.0)
    key = Key(group="openslo", kind="SLO", namespace="shop", name="fast")
    watched = Objective(key=key, name="fast", service="reviews", target=0.9, window=60.0, total=what, good=fast)
    read = Read(past.windows, (watched,), past.now - 60_000, past.now)
    assert read.counted(what) == 100
    assert read.counted(fast) == 80
    assert read.share(watched) == Share(100.0, 20.0)


def test_a_burn_rate_of_one_uses_the_budget_up_exactly():
    assert burn_of(Share(1000, 10), 0.99) == pytest.approx(1.0)
    assert burn_of(Share(), 0.99) is None
    standing = Standing(objective=objective(), at=0.0, shares=((30 * 86_400.0, Share(1000, 5)),))
    assert standing.left == pytest.approx(0.5)
    assert standing.state is State.MET
    over = Standing(objective=objective(), at=0.0, shares=((30 * 86_400.0, Share(1000, 20)),))
    assert (over.left, over.state) == (pytest.approx(-1.0), State.MISSED)
    assert Standing(objective=objective(), at=0.0).state is State.NO_CALLS


def test_both_windows_of_a_rule_must_say_so():
    rule = DEFAULT_RULES[0]
    bad, good = Share(100, 20), Share(100, 0)
    assert breached(rule, {3600.0: bad, 300.0: bad}, 0.99)
    assert not breached(rule, {3600.0: bad, 300.0: good}, 0.99)
    assert not breached(rule, {3600.0: good, 300.0: bad}, 0.99)
    assert not breached(rule, {3600.0: bad}, 0.99)


def test_every_window_of_rules_and_of_what_is_shown_is_counted():
    windows = windows_of(objective(rules=DEFAULT_RULES))
    assert windows == (300.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 259_200.0, 2_592_000.0)
    assert windows_of(objective(window=HOUR)) == (300.0, 3600.0)


class Heard:
    """What a keeper says."""

    def __init__(self) -> None:
        self.last: tuple[Alert, ...] = ()

    def __call__(self, alerts: tuple[Alert, ...]) -> None:
        self.last = alerts


def keeper(past: Past, watched: Objective) -> tuple[Keeper, Heard]:
    latest: Latest[Mesh] = Latest()
    latest.set(Mesh(objectives=(watched,)))
    heard = Heard()
    return Keeper(past.windows, latest, past.clock, heard), heard


@pytest.mark.asyncio
async def test_a_fast_burn_fires_and_ends_once_the_short_window_is_clean():
    past = Past()
    watching, heard = keeper(past, objective(rules=DEFAULT_RULES))
    for _ in range(120):
        past.step(50, 0)
    await watching.look()
    assert heard.last == ()
    for _ in range(36):  # three minutes of errors: 30 % of all since ten minutes, far above 14.4 % of an hour
        past.step(50, 40)
        await watching.look()
    names = {dict(one.labels)["policy"] for one in heard.last}
    assert "fast-burn" in names
    alert = next(one for one in heard.last if dict(one.labels)["policy"] == "fast-burn")
    assert (alert.severity, alert.namespace, alert.service) == ("page", "shop", "reviews")
    assert dict(alert.evidence)["bad calls over 1h"].startswith("14")
    assert watching.standings[0].state is State.MISSED
    for _ in range(70):
        past.step(50, 0)
        await watching.look()
    assert "fast-burn" not in {dict(one.labels)["policy"] for one in heard.last}


@pytest.mark.asyncio
async def test_an_alert_waits_as_long_as_its_condition_says():
    past = Past()
    rule = AlertRule(name="patient", severity="page", threshold=2.0, long=300.0, after=60.0)
    watching, heard = keeper(past, objective(rules=(rule,)))
    for _ in range(11):
        past.step(10, 5)
        await watching.look()
    assert heard.last == ()
    for _ in range(2):
        past.step(10, 5)
        await watching.look()
    assert len(heard.last) == 1


@pytest.mark.asyncio
async def test_an_objective_that_goes_takes_its_alerts_along():
    past = Past()
    rule = AlertRule(name="now", severity="page", threshold=1.0, long=300.0)
    latest: Latest[Mesh] = Latest()
    latest.set(Mesh(objectives=(objective(rules=(rule,)),)))
    heard = Heard()
    watching = Keeper(past.windows, latest, past.clock, heard)
    past.step(10, 5)
    await watching.look()
    assert len(heard.last) == 1
    latest.set(Mesh())
    await watching.look()
    assert heard.last == ()
    assert watching.standings == ()


def test_windows_are_told_as_they_are_written():
    assert [told(one) for one in (300.0, 5400.0, 3600.0, 2_592_000.0)] == ["5m", "90m", "1h", "30d"]


@pytest.mark.asyncio
async def test_an_alert_that_was_on_before_a_restart_does_not_wait_again():
    past = Past()
    rule = AlertRule(name="patient", severity="page", threshold=2.0, long=300.0, after=600.0)
    watching, heard = keeper(past, objective(rules=(rule,)))
    past.step(10, 5)
    await watching.look()
    assert heard.last == ()
    before = Alert(
        id="slo:shop/reviews:patient", kind="slo", name="ErrorBudgetBurn", severity="page", summary="it burns",
        since=past.clock.now() - 60,
    )  # fmt: skip
    again, heard = keeper(past, objective(rules=(rule,)))
    again.resume([before])
    await again.look()
    assert [one.id for one in heard.last] == [before.id]


@pytest.mark.asyncio
async def test_many_objectives_are_read_together_and_each_counts_its_own():
    past = Past()
    past.step(100, 10)
    other = labels_of(dict(labels()) | {"destination_service": "vault.bank.svc.cluster.local"})
    past.windows.count(other, 7)
    past.clock.advance(5)
    past.windows.tick(past.now)
    everything = Counted(metric="istio_requests_total", once=True)
    whole = objective().__class__(
        **{name: getattr(objective(), name) for name in objective().__struct_fields__}
        | {"name": "whole", "total": everything, "good": None, "bad": None}
    )
    read = Read(past.windows, (objective(), whole), past.now - 60_000, past.now)
    assert read.share(objective()) == Share(100.0, 10.0)
    assert read.share(whole) == Share(107.0, 0.0)
