"""From real windows: a change is told with what was before and after, where, and what was changed shortly before."""

from msgspec.structs import replace

from weft.anomalies.keeper import Keeper, seen_in
from weft.kit.clock import FakeClock
from weft.model.alert import Alert
from weft.model.cells import cell_of
from weft.model.event import Event, Kind
from weft.model.reporting import peer_of
from weft.model.series import End, Series
from weft.model.standard_metrics import METRICS, standard_labels
from weft.observe.promql.series import NAME
from weft.observe.traffic import Traffic
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

WEB = End(peer=peer_of("web-1", "shop", (("app", "web"), ("version", "v1"))), principal="spiffe://c/ns/shop/sa/web")
REVIEWS = End(peer=peer_of("reviews-1", "shop", (("app", "reviews"), ("version", "v2"))))
CALLS = Series(reporter="source", source=WEB, destination=REVIEWS, service="reviews.shop.svc.cluster.local", code="200")


class Mesh:
    """Windows that calls are counted into, and a keeper that looks at them."""

    def __init__(self) -> None:
        self.clock = FakeClock(1_700_000_000.0)
        self.windows = Windows(None)
        self.windows.tick(self._now)
        self.events: list[Event] = []
        self.told: tuple[Alert, ...] = ()
        self.keeper = self.started()

    def started(self) -> Keeper:
        traffic = Traffic(self.windows, self.clock)
        return Keeper(
            traffic,
            self.windows.born,
            seen_in(self.windows),
            lambda: tuple(self.events),
            lambda: 42,
            self.clock,
            lambda alerts: None,
        )

    @property
    def _now(self) -> int:
        return round(self.clock.now() * 1000)

    def call(self, series: Series, count: int, milliseconds: float = 10.0) -> None:
        labels = standard_labels(series)
        self.windows.count(tuple(sorted(((NAME, METRICS["requests"].name), *labels))), count)
        sketch = Sketch({cell_of(milliseconds): float(count)})
        name = tuple(sorted(((NAME, METRICS["duration"].name), *labels)))
        self.windows.observe(name, sketch, count, count * milliseconds)

    def step(self) -> tuple[Alert, ...]:
        self.clock.advance(5)
        self.windows.tick(self._now)
        self.keeper.look()
        return (*self.keeper._alerts.values(), *self.keeper._novelties())

    def usual(self, steps: int) -> None:
        for _ in range(steps):
            self.call(CALLS, 50)
            assert self.step() == ()


def test_a_change_is_told_with_its_evidence():
    mesh = Mesh()
    mesh.usual(720)
    mesh.events.append(
        Event(
            at=mesh.clock.now(), last=mesh.clock.now(), kind=Kind.CONFIG, reason="Applied", namespace="shop",
            who="jane", message="VirtualService shop/reviews was changed",
        )
    )  # fmt: skip
    alerts: tuple[Alert, ...] = ()
    for _ in range(8):
        mesh.call(CALLS, 40)
        mesh.call(replace(CALLS, code="503", flags="UH"), 10)
        alerts = alerts or mesh.step()
    (alert,) = alerts
    evidence = dict(alert.evidence)
    assert (alert.name, alert.namespace, alert.service) == ("ErrorRateJumped", "shop", "reviews")
    assert "calls from web to reviews.shop.svc.cluster.local fail suddenly" in alert.summary
    assert evidence["before"].startswith("0.000% of")
    assert evidence["flags"].startswith("UH: ")
    assert "503: " in evidence["statuses"]
    assert evidence["failed by workload"].startswith("reviews-v2: ")
    assert evidence["shortly before"].startswith("VirtualService shop/reviews was changed by jane")
    assert evidence["revision"] == "42"
    assert mesh.step() == (alert,), "it is one alert as long as it lasts"


def test_answers_that_become_slow_are_told_with_their_times():
    mesh = Mesh()
    mesh.usual(720)
    alerts: tuple[Alert, ...] = ()
    for _ in range(6):
        mesh.call(CALLS, 50, milliseconds=80.0)
        alerts = alerts or mesh.step()
    (alert,) = alerts
    assert alert.name == "LatencyJumped"
    assert dict(alert.evidence)["now"].startswith("p50 80")
    assert dict(alert.evidence)["before"].startswith("p50 10")


def test_an_edge_that_was_never_there_is_told_once_the_mesh_is_known():
    mesh = Mesh()
    other = replace(CALLS, service="vault.bank.svc.cluster.local")
    mesh.usual(1)
    mesh.call(other, 1)
    assert mesh.step() == (), "in a mesh that is new every edge is"
    mesh.usual(720)
    new = replace(CALLS, service="ledger.bank.svc.cluster.local")
    mesh.call(new, 1)
    (alert,) = mesh.step()
    assert (alert.name, alert.severity, alert.namespace) == ("NewEdge", "info", "bank")
    assert dict(alert.evidence)["caller proves to be"] == "spiffe://c/ns/shop/sa/web"
    mesh.call(
        replace(CALLS, source=replace(WEB, peer=peer_of("web-2", "shop", (("app", "web"), ("version", "v2"))))), 5
    )
    assert mesh.step() == (alert,), "a version is no new caller"
    mesh.keeper = mesh.started()
    mesh.call(new, 1)
    assert mesh.step() == (), "a restart makes nothing new"


def test_a_control_plane_that_was_started_anew_knows_the_hour_before():
    mesh = Mesh()
    mesh.usual(360)
    mesh.keeper = mesh.started()
    alerts: tuple[Alert, ...] = ()
    for _ in range(8):
        mesh.call(CALLS, 40)
        mesh.call(replace(CALLS, code="500"), 10)
        alerts = alerts or mesh.step()
    assert [one.name for one in alerts] == ["ErrorRateJumped"]
