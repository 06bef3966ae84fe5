"""What agents tell of circuit breakers: who may say it, what happened, and what a monitor reads."""

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.observe.breakers import BadReport, BreakerBoard
from weft.observe.server import observe_routes

_WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
_DESTINATION = "outbound|9080||reviews.shop.svc.cluster.local"


def _report(state: str = "closed", **changes: object) -> bytes:
    one = {"breaker": "shop/reviews", "destination": _DESTINATION, "state": state, "since": 5.0, "calls": 7} | changes
    return json.dumps({"breakers": [one]}).encode()


def test_a_breaker_that_turns_is_an_event_and_one_that_stays_is_none():
    board = BreakerBoard(FakeClock())
    for state in ("closed", "open", "open", "half-open", "closed"):
        board.tell(_WEB, "web-1", _report(state))
    assert [(one.before, one.after) for one in board.events()] == [
        ("closed", "open"),
        ("open", "half-open"),
        ("half-open", "closed"),
    ]
    assert board.events()[0].proxy == "web-1.shop"


def test_what_is_told_no_more_is_forgotten():
    clock = FakeClock()
    board = BreakerBoard(clock)
    board.tell(_WEB, "web-1", _report())
    clock.advance(20)
    board.tell(_WEB, "web-2", _report())
    clock.advance(20)
    assert [one.proxy for one in board.statuses()] == ["web-2.shop"]


def test_a_monitor_reads_states_and_counts():
    board = BreakerBoard(FakeClock())
    board.tell(_WEB, "web-1", _report("open", destination='a"b\n'))
    text = board.metrics()
    labels = 'proxy="web-1.shop",breaker="shop/reviews",destination="a\\"b\\n"'
    assert f'weft_circuit_breaker_state{{{labels},state="open"}} 1\n' in text
    assert f'weft_circuit_breaker_state{{{labels},state="closed"}} 0\n' in text
    assert f"weft_circuit_breaker_calls_total{{{labels}}} 7\n" in text


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", _report("broken"), _report(breaker="x" * 1000), _report(calls="7")]
)
def test_what_is_no_report_is_refused(content: bytes):
    with pytest.raises(BadReport):
        BreakerBoard(FakeClock()).tell(_WEB, "web-1", content)


def test_nobody_fills_the_board_with_names():
    board = BreakerBoard(FakeClock())
    other = Identity(trust_domain="cluster.local", namespace="shop", account="other")
    board.tell(other, "other-1", _report())
    for number in range(300):
        board.tell(_WEB, f"web-{number}", _report())
    told = [one.proxy for one in board.statuses()]
    assert len(told) == 201
    assert "other-1.shop" in told


def test_only_a_workload_of_the_mesh_may_tell():
    board = BreakerBoard(FakeClock())

    def client(identity: Identity | None) -> TestClient:
        return TestClient(Starlette(routes=list(observe_routes(board, lambda _: identity))))

    assert client(None).put("/v1/breakers/web-1", content=_report()).status_code == 401
    assert client(_WEB).put("/v1/breakers/web-1", content=b"{}").status_code == 400
    assert client(_WEB).put("/v1/breakers/web-1", content=b" " * 600_000).status_code == 400
    assert client(_WEB).put("/v1/breakers/web-1", content=_report()).status_code == 204
    assert len(board.statuses()) == 1
