"""What happens is noted once, with who did it, kept across restarts in bounded room, and found again."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.health.test_checks import proxy
from weft.ca.ending import Ending
from weft.duties.chronicle import Chronicle
from weft.kit.clock import FakeClock
from weft.model.alert import Alert
from weft.model.audit import AuditEntry, Outcome
from weft.model.document import Key, Origin
from weft.model.event import Event, Kind
from weft.model.mesh import Mesh
from weft.model.workload import Workload
from weft.observe.breakers import BreakerEvent
from weft.observe.happenings import Happenings
from weft.xds.status import SyncState


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_700_000_000.0)


@pytest.fixture
def happenings(clock: FakeClock) -> Happenings:
    return Happenings(None, clock)


@pytest.fixture
def chronicle(happenings: Happenings, clock: FakeClock) -> Chronicle:
    return Chronicle(happenings, clock)


def told(happenings: Happenings) -> list[tuple[str, str]]:
    return [(one.reason, one.message) for one in happenings.newest()]


def deed(verb: str = "update", **more: object) -> AuditEntry:
    said = {"who": "jane", "outcome": Outcome.ALLOWED, "group": "networking.istio.io", "resource": "virtualservices"}
    return AuditEntry(verb=verb, **(said | {"namespace": "shop", "name": "reviews"} | more))  # type: ignore[arg-type]


def test_what_somebody_changed_is_noted_with_who(chronicle: Chronicle, happenings: Happenings):
    chronicle.audited(deed())
    chronicle.audited(deed("get"))
    chronicle.audited(deed(outcome=Outcome.DENIED))
    chronicle.audited(deed("join", who="spiffe://cluster.local/ns/shop/sa/web", resource="", name="web-1"))
    chronicle.audited(deed("join", outcome=Outcome.DENIED, who="", name="x"))
    first, second = happenings.newest()
    assert (first.kind, first.reason, first.message, first.who) == (
        Kind.CONFIG,
        "Applied",
        "VirtualService shop/reviews was changed",
        "jane",
    )
    assert (second.kind, second.reason, second.message) == (
        Kind.CERTIFICATE,
        "Issued",
        "web-1 got a certificate (join)",
    )


def test_proxies_that_come_refuse_mend_and_go_are_noted(chronicle: Chronicle, happenings: Happenings):
    chronicle.look_at_proxies([proxy("old.shop", SyncState.SYNCED)])
    assert told(happenings) == [], "what was there before is no news"
    chronicle.look_at_proxies([proxy("old.shop", SyncState.SYNCED), proxy("web.shop", SyncState.SYNCED)])
    chronicle.look_at_proxies([proxy("old.shop", SyncState.NACK, "bad"), proxy("web.shop", SyncState.SYNCED)])
    chronicle.look_at_proxies([proxy("old.shop", SyncState.NACK, "bad"), proxy("web.shop", SyncState.SYNCED)])
    chronicle.look_at_proxies([proxy("old.shop", SyncState.SYNCED)])
    assert told(happenings) == [
        ("Connected", "the proxy web.shop is connected"),
        ("Refused", "the proxy old.shop refused its Cluster: bad"),
        ("Accepted", "the proxy old.shop takes its configuration again"),
        ("Lost", "the proxy web.shop is no longer connected"),
    ]
    assert [one.warning for one in happenings.newest()] == [False, True, False, True]


def mesh(**healthy: bool) -> Mesh:
    origin = Origin(key=Key(kind="WorkloadEntry", name="x"))
    found = (
        Workload(name=name, namespace="shop", address="127.0.0.1", origin=origin, healthy=well)
        for name, well in healthy.items()
    )
    return Mesh(workloads=tuple(found))


def test_endpoints_up_and_down_are_noted(chronicle: Chronicle, happenings: Happenings):
    for state in (mesh(a=True), mesh(a=False), mesh(a=True, b=True), mesh(b=True)):
        chronicle.look_at_endpoints(state)
    assert [reason for reason, _ in told(happenings)] == ["Down", "Up", "Added", "Removed"]


def test_an_endpoint_that_flaps_or_drains_is_noted_as_such(chronicle: Chronicle, happenings: Happenings):
    well, ill = mesh(a=True), mesh(a=False)
    flaps, more, drains = (
        replace(ill, workloads=(replace(ill.workloads[0], reason=reason, message=message),))
        for reason, message in (("Flapping", "ill 4 times"), ("Flapping", "ill 5 times"), ("Draining", ""))
    )
    for state in (well, ill, flaps, flaps, ill, more, well, drains, drains):
        chronicle.look_at_endpoints(state)
    assert told(happenings) == [
        ("Down", "the endpoint a fails its checks"),
        ("Flapping", "the endpoint a is well and not believed yet: ill 4 times"),
        ("Flapping", "the endpoint a is well and not believed yet: ill 5 times"),
        ("Up", "the endpoint a passes its checks again"),
        ("Draining", "the endpoint a is about to end, and is not called any more"),
    ]


def test_a_certificate_that_begins_to_end_is_noted_once(chronicle: Chronicle, happenings: Happenings, clock: FakeClock):
    late = Ending(kind="secret", name="edge/tls", expires=clock.now() + 7200, life=90 * 86_400.0)
    chronicle.look_at_endings([late])
    chronicle.look_at_endings([late])
    assert told(happenings) == [("Ending", "the secret edge/tls ends in 2 hours")]


def test_breakers_that_open_are_noted_with_whom_they_leave_alone(
    chronicle: Chronicle, happenings: Happenings, clock: FakeClock
):
    turned = BreakerEvent(
        at=clock.now() + 1, proxy="web-1.shop", breaker="shop/b", destination="reviews", before="closed", after="open"
    )
    chronicle.look_at_breakers([turned])
    chronicle.look_at_breakers([turned])
    assert told(happenings) == [("Ejected", "the breaker shop/b of reviews is open, it was closed")]


def test_alerts_are_noted_when_they_begin_and_end(chronicle: Chronicle, happenings: Happenings):
    alert = Alert(id="x", kind="slo", name="ErrorBudgetBurn", severity="page", summary="burns", since=1.0)
    chronicle.alerted([alert])
    chronicle.alerted(
        [Alert(id="x", kind="slo", name="ErrorBudgetBurn", severity="page", summary="burns", since=1.0, ended=2.0)]
    )
    assert [reason for reason, _ in told(happenings)] == ["ErrorBudgetBurn", "ErrorBudgetBurnEnded"]


def event(number: int, **more: object) -> Event:
    return Event(at=0.0, kind=Kind.PROXY, reason="Lost", message=f"{number} is lost", namespace="shop", **more)  # type: ignore[arg-type]


def test_what_happens_again_soon_is_counted(happenings: Happenings, clock: FakeClock):
    for _ in range(3):
        happenings.note(event(1))
        clock.advance(60)
    (one,) = happenings.newest()
    assert (one.count, one.last - one.at) == (3, 120.0)
    clock.advance(3600)
    happenings.note(event(1))
    assert [one.count for one in happenings.newest()] == [3, 1]


def test_events_outlive_a_restart_and_go_on_being_numbered(tmp_path: Path, clock: FakeClock):
    first = Happenings(tmp_path / "events.db", clock)
    first.note(event(1))
    first.close()
    second = Happenings(tmp_path / "events.db", clock)
    second.note(event(2))
    found = second.search(lambda _: True, 0.0, (), 10)
    assert [(one.number, one.message) for one in found] == [(1, "1 is lost"), (2, "2 is lost")]
    second.close()


def test_room_is_bounded_in_number_and_time(clock: FakeClock):
    happenings = Happenings(None, clock, capacity=100)
    for number in range(300):
        happenings.note(event(number))
        happenings.flush()
    assert len(happenings.search(lambda _: True, 0.0, (), 1000)) == 100
    clock.advance(31 * 86_400)
    happenings.note(event(1000))
    assert [one.message for one in happenings.search(lambda _: True, 0.0, (), 1000)] == ["1000 is lost"]


def test_a_burst_that_the_disk_cannot_take_is_dropped_and_counted(happenings: Happenings):
    for number in range(10_100):
        happenings.note(event(number))
    assert happenings.dropped == 100
    assert len(happenings.newest()) == 1000


def test_events_are_searched_by_time_kind_and_what_is_wanted(happenings: Happenings, clock: FakeClock):
    happenings.note(event(1))
    clock.advance(100)
    happenings.note(Event(at=0.0, kind=Kind.CONFIG, reason="Applied", message="x", namespace="bank"))
    assert len(happenings.search(lambda _: True, clock.now() - 50, (), 10)) == 1
    assert len(happenings.search(lambda _: True, 0.0, (Kind.PROXY,), 10)) == 1
    assert [one.namespace for one in happenings.search(lambda one: one.namespace == "bank", 0.0, (), 10)] == ["bank"]
