"""`weft top`: rows, their order and history; the terminal, by its keys; one frame where there is no terminal."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from textual.widgets import DataTable, Input, Static

from tests.cli.conftest import Weft, control_plane, weft
from weft.cli.top_app import Help, TopApp
from weft.cli.top_routes import LiveRoutes
from weft.cli.top_rows import HISTORY, Of, Rows, Sort, question_of, sparkline
from weft.kit.errors import Denied, Unreachable

__all__ = ["control_plane", "weft"]


def signals(name: str, rate: float, success: float | None = 1.0, p99: float | None = 9.0) -> dict[str, Any]:
    latency = {"p50": 1.0, "p90": 2.0, "p95": 3.0, "p99": p99}
    return {"namespace": "shop", "name": name, "rate": rate, "success": success, "latency": latency}


def names(rows: Rows, sort: Sort, **how: Any) -> list[str]:
    return [row.name.removeprefix("shop/") for row in rows.shown(sort, **how)]


def test_rows_are_ordered_with_what_is_unknown_last():
    rows = Rows(Of.SERVICE)
    rows.update([signals("a", 5, 0.5, 20), signals("b", 9, 1.0, 10), signals("c", 1, None, None)])
    assert names(rows, Sort.RATE) == ["b", "a", "c"]
    assert names(rows, Sort.RATE, reverse=True) == ["c", "a", "b"]
    assert names(rows, Sort.SUCCESS) == ["a", "b", "c"]
    assert names(rows, Sort.P99) == ["a", "b", "c"]
    assert names(rows, Sort.NAME, reverse=True) == ["c", "b", "a"]
    assert names(rows, Sort.NAME, wanted="SHOP b") == ["b"]


def test_histories_grow_and_what_has_no_calls_goes_at_last():
    rows = Rows(Of.SERVICE)
    for number in range(HISTORY + 5):
        rows.update([signals("a", number), signals("b", 1)])
    (row,) = rows.shown(Sort.NAME, wanted="/a")
    assert row.history[-1] == HISTORY + 4
    assert len(row.history) == HISTORY
    rows.update([signals("a", 1)])
    (gone,) = rows.shown(Sort.NAME, wanted="/b")
    assert (gone.rate, gone.success) == (0, None)
    for _ in range(HISTORY):
        rows.update([signals("a", 1)])
    assert names(rows, Sort.NAME) == ["a"]


def test_bars_are_as_high_as_their_share_of_the_most():
    assert sparkline((0, 1, 50, 100)) == " ▁▄█"
    assert sparkline((0, 0)) == "  "
    assert sparkline(()) == ""


def test_every_kind_has_its_question():
    assert question_of(Of.EDGE, "shop", 30) == ("/weft/v1/edges", {"window": "30", "namespace": "shop"})
    assert question_of(Of.NAMESPACE, "shop", 30) == ("/weft/v1/stat", {"window": "30", "by": "namespace"})
    end = {"namespace": "shop", "workload": "web"}
    rows = Rows(Of.EDGE)
    rows.update([signals("", 1) | {"source": end, "destination": end | {"workload": "reviews"}}])
    assert rows.shown(Sort.RATE)[0].name == "shop/web -> shop/reviews"


class Asked:
    """Answers, and what was asked."""

    def __init__(self) -> None:
        self.kinds: list[Of] = []
        self.away = False

    def __call__(self, of: Of) -> list[dict[str, Any]]:
        self.kinds.append(of)
        if self.away:
            raise Unreachable("cannot reach the control plane")
        return [signals("reviews", 9), signals("ratings", 20, 0.5)] if of is Of.SERVICE else []


def _app(asked: Asked) -> TopApp:
    return TopApp(asked, Of.SERVICE, Sort.RATE, every=60, place="shop")


async def _settled(app: TopApp, pilot: Any) -> list[str]:
    await app.workers.wait_for_complete()
    await pilot.pause()
    table = app.query_one("#rows", DataTable)
    return [str(table.get_row_at(number)[0]) for number in range(table.row_count)]


def _status(app: TopApp) -> str:
    return str(app.query_one("#status", Static).render())


@pytest.mark.asyncio
async def test_keys_sort_and_turn_the_order_round():
    app = _app(Asked())
    async with app.run_test() as pilot:
        assert await _settled(app, pilot) == ["shop/ratings", "shop/reviews"]
        assert _status(app) == "2 services in shop"
        await pilot.press("R")
        assert await _settled(app, pilot) == ["shop/reviews", "shop/ratings"]
        await pilot.press("N")
        assert await _settled(app, pilot) == ["shop/ratings", "shop/reviews"]
        assert str(next(iter(app.query_one("#rows", DataTable).columns.values())).label) == "name ↓"


@pytest.mark.asyncio
async def test_a_filter_is_typed_kept_and_cleared():
    app = _app(Asked())
    async with app.run_test() as pilot:
        await _settled(app, pilot)
        await pilot.press("slash", *"rev")
        assert await _settled(app, pilot) == ["shop/reviews"]
        await pilot.press("enter")
        assert not app.query_one("#filter", Input).has_class("open")
        assert "with 'rev'" in _status(app)
        await pilot.press("escape")
        assert len(await _settled(app, pilot)) == 2


@pytest.mark.asyncio
async def test_other_kinds_are_asked_for_by_their_keys_and_pausing_asks_no_more():
    asked = Asked()
    app = _app(asked)
    async with app.run_test() as pilot:
        await _settled(app, pilot)
        await pilot.press("3")
        await _settled(app, pilot)
        assert asked.kinds == [Of.SERVICE, Of.EDGE]
        assert _status(app) == "0 edges in shop"
        await pilot.press("space")
        app.ask_again()
        await _settled(app, pilot)
        assert len(asked.kinds) == 2
        assert "paused" in _status(app)


@pytest.mark.asyncio
async def test_help_is_shown_and_a_control_plane_that_is_away_is_said_until_it_is_back():
    asked = Asked()
    app = _app(asked)
    async with app.run_test() as pilot:
        await _settled(app, pilot)
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("x")
        assert not isinstance(app.screen, Help)
        asked.away = True
        app.ask_again()
        assert len(await _settled(app, pilot)) == 2
        assert "cannot reach the control plane" in _status(app)
        asked.away = False
        app.ask_again()
        await _settled(app, pilot)
        assert "cannot" not in _status(app)
        await pilot.press("q")


def request(path: str, status: int = 200, **more: Any) -> dict[str, Any]:
    end = {"service": "reviews", "workload": "reviews-v1"}
    shared = {"type": "request", "service": "reviews.shop.svc.cluster.local", "destination": end, "method": "GET"}
    return shared | {"path": path, "status": status, "milliseconds": 5.0} | more


def test_routes_are_requests_added_up_by_what_their_paths_have_in_common():
    moment = [100.0]
    routes = LiveRoutes(lambda: iter(()), 30, lambda: moment[0])
    for number in range(9):
        routes.add(request(f"/reviews/{number}?page={number}", milliseconds=number))
    routes.add(request("/reviews/9f1b2c3d4e5f6a7b8c9d", 503))
    routes.add(request("/health", grpcStatus="14"))
    routes.add({"type": "connection"})
    routes._thread = threading.current_thread()  # the stream is not what this is about
    moment[0] += 10
    found = {one["name"]: one for one in routes.items()}
    assert set(found) == {"reviews GET /reviews/*", "reviews GET /health"}
    many = found["reviews GET /reviews/*"]
    assert (many["rate"], many["success"], many["latency"]["p50"]) == (1.0, 0.9, 5.0)
    assert found["reviews GET /health"]["success"] == 0
    moment[0] += 31
    assert routes.items() == []


def test_what_forbids_to_watch_is_said_and_routes_have_a_bound():
    def refused() -> Iterator[str]:
        raise Denied("this may not be watched")
        yield ""

    routes = LiveRoutes(refused, 30)
    routes._begin()
    assert routes._thread is not None
    routes._thread.join(10)
    with pytest.raises(Denied):
        routes.items()
    crowd = LiveRoutes(lambda: iter(()), 30)
    crowd._thread = threading.current_thread()
    for number in range(1000):
        crowd.add(request(f"/{'x' * (number % 20)}y{number}z"))
    assert len(crowd.items()) == 501


@pytest.mark.live
def test_without_a_terminal_it_is_written_once(weft: Weft):
    done = weft("top", "-A")
    assert (done.code, done.out, done.err) == (0, "", "no traffic\n")


def test_textual_is_imported_only_when_it_is_needed():
    code = "import sys, weft.cli.top; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
