"""How parts are, said in checks: what is well, what is not, and whose it is."""

import asyncio
import time

import pytest

from weft.ca.ending import Ending
from weft.compiler.resource import CLUSTER
from weft.health.certificates import lasting
from weft.health.control_plane import Room, converging, prompt, served, spacious
from weft.health.proxies import absent, missed, settled
from weft.health.sinks import Lately, Sink, flowing
from weft.kit.loop_lag import LoopLag
from weft.kit.value import Labels
from weft.model.document import Key, Origin
from weft.model.health import Level, worst
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.workload import Workload
from weft.xds.fleet import ProxyStatus
from weft.xds.status import SyncState, TypeStatus
from weft.xds.tally import Tally

NOW = 1_700_000_000.0
DAY = 86_400.0


def proxy(name: str, state: SyncState, error: str = "", namespace: str = "shop") -> ProxyStatus:
    identity = Identity(trust_domain="cluster.local", namespace=namespace, account="web")
    types = (TypeStatus(type_url=CLUSTER, state=state, error=error),)
    return ProxyStatus(name=name, identity=identity, connected_at=NOW, variant="sotw", types=types)


def test_a_control_plane_without_a_mesh_fails():
    assert served(None).level is Level.FAIL
    assert served(Mesh(revision=7)).level is Level.OK


def test_a_refused_configuration_fails_with_the_message_of_the_proxy_and_where_to_look():
    found = list(settled((proxy("web-1.shop", SyncState.NACK, "bad cluster"), proxy("web-2.shop", SyncState.SYNCED))))
    assert [one.name for one in found] == ["proxies-synced", "proxy-nack"]
    assert "1 of 2 sidecars" in found[0].message
    assert "clusters: bad cluster" in found[1].message
    assert "weft proxy config clusters web-1.shop" in found[1].help
    assert worst(found) is Level.FAIL


def test_proxies_of_each_namespace_are_told_apart_so_that_nobody_sees_anothers():
    found = list(settled((proxy("a.shop", SyncState.STALE), proxy("b.bank", SyncState.SYNCED, namespace="bank"))))
    assert [(one.name, one.namespace, one.level) for one in found] == [
        ("proxies-synced", "bank", Level.OK),
        ("proxies-synced", "shop", Level.OK),
        ("proxy-stale", "shop", Level.WARN),
    ]


def test_workloads_that_are_registered_and_whose_proxies_are_not_connected_are_named():
    mesh = Mesh(revision=1, workloads=(workload("a"), workload("b"), workload("written", ())))
    missing = absent(mesh, (proxy("a.shop", SyncState.SYNCED),))
    assert [(one.name, one.level, one.namespace) for one in missed(missing)] == [("proxy-absent", Level.WARN, "shop")]
    assert "b.shop is registered" in next(missed(missing)).message
    assert absent(None, ()) == ()


def workload(name: str, labels: Labels = (("app.kubernetes.io/managed-by", "weft"),)) -> Workload:
    origin = Origin(key=Key(kind="WorkloadEntry", namespace="shop", name=name))
    return Workload(name=name, namespace="shop", address="127.0.0.1", origin=origin, labels=labels)


def test_certificates_that_end_soon_are_told_and_those_that_should_have_been_renewed_by_name():
    endings = (
        Ending(kind="root", name="2026", expires=NOW + 3000 * DAY, life=3650 * DAY),
        Ending(kind="secret", name="edge/tls", expires=NOW + 3 * DAY, life=90 * DAY),
        Ending(kind="workload", name="web-1.shop", expires=NOW + 600, life=DAY, renewed=True),
        Ending(kind="intermediate", name="x", expires=NOW - 1, life=DAY),
    )
    found = list(lasting(endings, NOW))
    assert [one.level for one in found] == [Level.OK, Level.WARN, Level.WARN, Level.FAIL]
    assert found[2].name == "certificate-overdue"
    assert "should have been renewed" in found[2].message
    assert [one.namespace for one in found] == ["", "edge", "shop", ""]


def test_what_sinks_dropped_lately_is_told_and_forgotten_later():
    lately = Lately(600.0)
    assert lately.grown("x", 5, NOW) == 5
    assert lately.grown("x", 5, NOW + 300) == 5
    assert lately.grown("x", 6, NOW + 700) == 1
    assert lately.grown("x", 6, NOW + 1400) == 0
    (well,) = flowing([Sink(name="traces", what="spans")], "lately")
    (bad,) = flowing([Sink(name="traces", what="spans", dropped=5, help="do it")], "lately")
    assert (well.level, bad.level, bad.help) == (Level.OK, Level.WARN, "do it")
    assert bad.message == "5 spans were dropped lately"


def test_a_full_disk_fails_before_it_is_full():
    assert [spacious(Room(free=free, total=2**40)).level for free in (2**40, 2**28, 2**20)] == [
        Level.OK,
        Level.WARN,
        Level.FAIL,
    ]


def test_slow_proxies_are_told_by_the_slowest_tenth():
    tally = Tally()
    assert converging(tally).level is Level.OK
    for _ in range(8):
        tally.settled(0.02)
    tally.settled(8.0)
    tally.settled(8.0)
    found = converging(tally)
    assert found.level is Level.WARN
    assert "within 25 ms, nine of ten within 10 s" in found.message


def hold_up(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.asyncio
async def test_a_loop_that_was_held_up_is_late():
    lag = LoopLag()
    assert prompt(lag).level is Level.OK
    running = asyncio.get_running_loop().create_task(lag.run())
    await asyncio.sleep(0.01)
    hold_up(0.7)
    for _ in range(50):
        await asyncio.sleep(0.01)
        if lag.worst > 0:
            break
    running.cancel()
    assert lag.worst > 0.3
    assert prompt(lag).level is Level.WARN
