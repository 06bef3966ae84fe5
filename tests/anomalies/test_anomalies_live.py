"""Real sidecars, and calls that suddenly fail, are slow, or go where nobody called: told in seconds, with evidence."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.observe.paced import ask_all
from tests.observe.test_numbers_agree_live import SECONDS, Shop
from tests.observe.test_traffic import CALLS
from weft.demo.calls import caller
from weft.demo.processes import until
from weft.demo.shop import NAMESPACE
from weft.model.standard_metrics import METRICS, standard_labels
from weft.observe.promql.series import NAME
from weft.observe.windows.packing import HOUR, STEP
from weft.observe.windows.store import Windows

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]
_USUAL, _TROUBLE = 2_000, 200
_PACED = "http://paced:9080/"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A mesh that was seen two hours ago, and what is usual in it: fast answers, and none that is an error."""
    with tempfile.TemporaryDirectory(prefix="weft-anomalies-") as directory:
        mesh = Shop(Path(directory))
        try:
            mesh.start()
            asyncio.run(ask_all(_proxy(mesh), [0.002] * _USUAL, (), _PACED, connections=32))
            until(lambda: _calls(mesh) >= _USUAL, "not all calls are told of", SECONDS)
            _grow_old(mesh)
            yield mesh
        finally:
            mesh.stop()


def _grow_old(mesh: Shop) -> None:
    """Write into the past of the windows while nobody has them; the control plane that comes back knows that hour."""
    assert mesh.control_plane is not None
    mesh.control_plane.ask_to_end()
    mesh.control_plane.wait(SECONDS)
    before = round(time.time() * 1000) - 2 * HOUR
    windows = Windows(mesh.state.windows)
    windows.tick(before)
    someone = replace(CALLS, service="elsewhere.example.com")
    windows.count(tuple(sorted(((NAME, METRICS["requests"].name), *standard_labels(someone)))), 1.0)
    windows.tick(before + STEP)
    windows.close()
    mesh.start_control_plane()
    until(lambda: mesh.synced(len(mesh.workloads)), "not every proxy is in sync", SECONDS)
    known = _calls(mesh)
    with caller(mesh.addresses()["proxy"]) as visitor:
        until(lambda: visitor.get(_PACED).status == 200 and _calls(mesh) > known, "nothing is told of", SECONDS)


def _proxy(mesh: Shop) -> int:
    return int(mesh.addresses()["proxy"].rstrip("/").rpartition(":")[2])


def _calls(mesh: Shop) -> int:
    rows = mesh.ask("/weft/v1/stat", window="600", namespace=NAMESPACE)["items"]
    return next((int(one["requests"]) for one in rows if one["name"] == "paced"), 0)


def _alerts(mesh: Shop) -> dict[str, dict[str, Any]]:
    """What is on, of the kind of anomalies, by name."""
    found = mesh.ask("/weft/v1/alerts", firing="true")["items"]
    return {one["name"]: one for one in found if one["kind"] == "anomaly"}


def test_what_changes_suddenly_is_told_with_its_evidence(shop: Shop):
    assert _alerts(shop) == {}
    begun = time.time()
    statuses = [503 if number % 2 else 200 for number in range(_TROUBLE)]
    asyncio.run(ask_all(_proxy(shop), [0.5] * _TROUBLE, statuses, _PACED, connections=50))
    with caller(None) as outside:
        assert outside.get(f"http://127.0.0.1:{shop.front}/ratings/1").status == 200
    until(lambda: len(_alerts(shop)) == 3, "not everything is noticed", SECONDS)
    found = _alerts(shop)
    assert set(found) == {"ErrorRateJumped", "LatencyJumped", "NewEdge"}
    assert time.time() - begun < 25

    failing, slow, new = (found[name] for name in ("ErrorRateJumped", "LatencyJumped", "NewEdge"))
    for one in (failing, slow):
        assert (one["namespace"], one["service"], one["labels"]["caller"]) == (NAMESPACE, "paced", "shop/visitor")
        assert begun - 10 <= datetime.fromisoformat(one["startsAt"]).timestamp() <= begun + 15
        assert " 503: " in f" {one['evidence']['statuses']}"  # a step may end before all of them did
    assert failing["evidence"]["failed by workload"].startswith("paced-v1: ")
    assert failing["evidence"]["before"].startswith("0.000% of")
    assert "p50 5" in slow["evidence"]["now"]
    assert (new["service"], new["labels"]["caller"]) == ("ratings", "shop/front")
    assert new["evidence"]["caller proves to be"].endswith("/ns/shop/sa/front")
