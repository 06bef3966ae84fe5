"""Queries are answered by a process beside this one as they would be in it, and whatever becomes of it is said."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import msgspec
import psutil
import pytest

from weft.kit.clock import FakeClock
from weft.kit.value import Labels, labels_of
from weft.observe.aside import pool
from weft.observe.aside.pool import Aside
from weft.observe.own_history import OwnHistory, Together
from weft.observe.own_metrics import gauge
from weft.observe.promql.answering import Question, answered
from weft.observe.promql.columns import QueryError, Steps
from weft.observe.promql.series import NAME
from weft.observe.windows.packing import HOUR, MINUTE, STEP
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

_BEGIN = 1_700_006_400_000 // HOUR * HOUR
_END = _BEGIN + 17 * MINUTE + STEP
_QUERIES = (
    "sum by (service) (rate(requests_total[5m]))",
    "histogram_quantile(0.9, sum by (le) (rate(latency_milliseconds_bucket[5m])))",
    "latency_milliseconds_sum / latency_milliseconds_count",
    "weft_streams + on() group_left vector(1)",
    "max_over_time(sum(rate(requests_total[1m]))[5m:1m])",
)
_ENDLESS = "sum(sum_over_time((" + " + ".join(["requests_total"] * 200) + ")[1h:1s]))"
"""Takes long in any case, and touches few samples at a time."""


class Kept:
    """Windows of 17 minutes, the last of which are in memory alone, and the control plane's own numbers."""

    def __init__(self, path: Path) -> None:
        self.windows = Windows(path)
        clock = FakeClock(_END / 1000)
        self.own = OwnHistory(clock)
        self.own.look([gauge("weft_streams", "Streams.", 3)])
        self.now = _BEGIN
        self.aside = Aside(path, self.windows, self.own)
        self._chance = random.Random(4)
        self.go_on(_END)

    def go_on(self, until: int) -> None:
        """Count for some time."""
        while self.now < until:
            self.now += STEP
            for number in range(3):
                values = [self._chance.lognormvariate(3, 1) for _ in range(number + 1)]
                self.windows.count(_labels("requests_total", number), len(values))
                latencies = _labels("latency_milliseconds", number)
                self.windows.observe(latencies, Sketch.of_values(values), len(values), sum(values))
            self.windows.tick(self.now)
            if not self.now % (5 * MINUTE):
                self.windows.flush()

    def question(self, query: str, seconds: float = 30) -> Question:
        """A range of ten minutes until now."""
        steps = Steps(start=self.now - 10 * MINUTE, end=self.now, step=15_000)
        return Question(query=query, steps=steps, instant=False, seconds=seconds)

    def here(self, question: Question) -> bytes:
        """What is answered without another process."""
        return answered(question, Together(self.windows, self.own), lambda: False)


def _labels(name: str, number: int) -> Labels:
    return labels_of({NAME: name, "service": f"s{number}"})


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """With no process yet, and none afterwards."""
    made = Kept(tmp_path / "windows.db")
    yield made
    made.aside.close()
    assert made.aside.processes == ()


def test_answers_are_those_that_this_process_would_give(kept: Kept):
    for query in _QUERIES:
        question = kept.question(query)
        assert kept.aside.answer(question) == kept.here(question), query
        assert len(msgspec.json.decode(kept.here(question))["data"]["result"]) > 0, query
    assert len(kept.aside.processes) == 1


def test_an_instant_has_the_shape_of_one(kept: Kept):
    moment = Steps(start=kept.now, end=kept.now, step=1)
    asked = Question(query="count(requests_total)", steps=moment, instant=True, seconds=30)
    assert msgspec.json.decode(kept.aside.answer(asked))["data"] == {
        "resultType": "vector",
        "result": [{"metric": {}, "value": [kept.now / 1000, "3"]}],
    }


def test_what_is_written_while_a_question_is_asked_is_counted_once(kept: Kept):
    question = kept.question("sum(increase(requests_total[20m]))")
    expected = kept.here(question)
    assert kept.windows.lives(())[1][0].pending != ()
    told = kept.windows.lives

    def told_and_written(matchers: object) -> object:
        found = told(matchers)  # type: ignore[arg-type]
        kept.windows.flush()
        return found

    kept.windows.lives = told_and_written  # type: ignore[assignment,method-assign]
    assert kept.aside.answer(question) == expected
    kept.windows.lives = told  # type: ignore[method-assign]
    assert kept.aside.answer(question) == expected


def test_what_cannot_be_written_is_answered_from_memory(kept: Kept):
    kept.windows._archive._database.execute("PRAGMA query_only = 1")
    kept.go_on(kept.now + 5 * MINUTE)
    question = kept.question("sum by (service) (increase(requests_total[5m]))")
    assert kept.aside.answer(question) == kept.here(question)


def test_mistakes_are_told_in_the_words_of_the_evaluation(kept: Kept):
    mistakes = {
        "rate(1)": "bad_data",
        "label_replace(requests_total, 'a', '', 'b', '(')": "execution",
        "requests_total + on() requests_total": "execution",
        "+".join(["requests_total"] * 1000): "bad_data",
    }
    for query, kind in mistakes.items():
        with pytest.raises(QueryError) as here:
            kept.here(kept.question(query))
        with pytest.raises(QueryError) as refused:
            kept.aside.answer(kept.question(query))
        assert (refused.value.message, refused.value.kind) == (here.value.message, kind)
    assert kept.aside.answer(kept.question("vector(1)"))
    assert len(kept.aside.processes) == 1


def test_a_question_that_touches_too_much_is_refused_with_what_to_do(kept: Kept):
    with pytest.raises(QueryError, match="touches more than 20000000 samples") as refused:
        kept.aside.answer(kept.question("sum(sum_over_time(latency_milliseconds_bucket[16m:5ms]))"))
    assert (refused.value.kind, refused.value.help) == (
        "execution",
        "choose fewer series, a shorter time or longer steps",
    )


def test_a_question_that_takes_too_long_is_given_up_in_time(kept: Kept):
    begun = time.monotonic()
    with pytest.raises(QueryError, match="query timed out in expression evaluation") as late:
        kept.aside.answer(kept.question(_ENDLESS, seconds=0.3))
    assert late.value.kind == "timeout"
    assert time.monotonic() - begun < 0.3 + pool._GRACE + 5  # and a machine that does other things


def test_a_question_that_needs_too_much_memory_is_refused_and_the_next_one_answered(kept: Kept):
    hungry = 'label_replace(vector(1), "a", "' + "x" * 60_000 + '", "", "")'
    for _ in range(4):
        hungry = f'label_replace({hungry}, "a", "' + "$1" * 100 + '", "a", "(.*)")'
    with pytest.raises(QueryError, match="needs more than 512 MiB of memory") as refused:
        kept.aside.answer(kept.question(hungry))
    assert refused.value.kind == "execution"
    assert kept.aside.answer(kept.question("vector(1)"))


def test_a_process_that_is_killed_is_said_and_replaced(kept: Kept):
    assert kept.aside.answer(kept.question("vector(1)"))
    (first,) = kept.aside.processes
    os.kill(first, signal.SIGKILL)
    assert kept.aside.answer(kept.question("vector(2)"))
    (second,) = kept.aside.processes
    assert second != first

    failures: list[QueryError] = []
    asking = Thread(target=_fails, args=(kept, failures))
    asking.start()
    _until_it_works(second)
    os.kill(second, signal.SIGKILL)
    _until(lambda: kept.aside.processes not in ((), (second,)))
    (third,) = kept.aside.processes
    _until_it_works(third)
    os.kill(third, signal.SIGKILL)
    asking.join(30)
    assert [one.message for one in failures] == ["the process that evaluated the query ended (signal 9)"]


def test_who_stops_waits_for_no_question(kept: Kept):
    failures: list[QueryError] = []
    asking = Thread(target=_fails, args=(kept, failures))
    asking.start()
    _until(lambda: len(kept.aside.processes) == 1)
    kept.aside.close()
    asking.join(30)
    assert [(one.message, one.kind) for one in failures] == [("the control plane stops", "unavailable")]
    with pytest.raises(QueryError, match="the control plane stops"):
        kept.aside.answer(kept.question("vector(1)"))


def test_a_process_that_nobody_asks_is_ended(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    kept.aside.answer(kept.question("vector(1)"))
    (process,) = kept.aside.processes
    kept.aside.rest()
    assert kept.aside.processes == (process,)
    monkeypatch.setattr(pool, "IDLE", 0.0)
    kept.aside.rest()
    assert kept.aside.processes == ()
    assert not psutil.pid_exists(process)
    assert kept.aside.answer(kept.question("vector(1)"))


def _fails(kept: Kept, failures: list[QueryError]) -> None:
    try:
        kept.aside.answer(kept.question(_ENDLESS))
    except QueryError as wrong:
        failures.append(wrong)


def _until_it_works(process: int) -> None:
    """Until it evaluates: it has read more of the question than its start takes."""
    _until(lambda: psutil.Process(process).cpu_times().user > 0.5)


def _until(happened: object) -> None:
    deadline = time.monotonic() + 30
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
