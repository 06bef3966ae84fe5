"""The control plane's own numbers are found by queries, for an hour, in bounded memory."""

from weft.kit.clock import FakeClock
from weft.kit.value import labels_of
from weft.observe import own_history as module
from weft.observe.own_history import OwnHistory, Together
from weft.observe.own_metrics import Spread, by_label, counter
from weft.observe.promql.columns import Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.promql.series import NAME
from weft.observe.windows.store import Windows


def test_a_counter_and_a_histogram_are_queried_like_everything_else():
    clock = FakeClock(1_700_000_000.0)
    own = OwnHistory(clock)
    for step in range(9):
        spread = Spread(name="lag_seconds", help="", bounds=(0.1, 1.0), counts=(step, 0, 0), total=step * 0.05)
        own.look(
            [counter("pushes_total", "", 15.0 * step), spread, by_label("proxies", "", "state", {"ok": 3}, "gauge")]
        )
        clock.advance(15)
    at = round(clock.now() * 1000) - 15_000
    kept = Together(Windows(None), own)

    def ask(query: str) -> list[float | None]:
        result = evaluate(query, Steps(start=at, end=at, step=1), kept).result
        assert isinstance(result, dict)
        return [column[0] for column in result.values()]

    assert ask("rate(pushes_total[1m])") == [1.0]
    assert ask('proxies{state="ok",job="weft"}') == [3.0]
    assert ask("histogram_quantile(0.5, sum by (le) (rate(lag_seconds_bucket[1m])))") == [0.05]
    names = {dict(labels)[NAME] for labels in kept.series((), 0, at)}
    assert names == {"pushes_total", "proxies", "lag_seconds_bucket", "lag_seconds_sum", "lag_seconds_count"}


def test_what_is_old_and_what_is_too_much_goes(monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "_MOST", 10)
    clock = FakeClock()
    own = OwnHistory(clock)
    own.look([by_label("x", "", "a", {str(number): 1.0 for number in range(50)})])
    assert len(own.series((), 0, 2**60)) == 10
    clock.advance(2 * 3600)
    own.look([by_label("y", "", "a", {"1": 1.0})])
    assert [dict(one)[NAME] for one in own.series((), 0, 2**60)] == []
    own.look([by_label("y", "", "a", {"1": 1.0})])
    assert own.series((), 0, 2**60) == [labels_of({NAME: "y", "a": "1", "job": "weft", "instance": "control-plane"})]
