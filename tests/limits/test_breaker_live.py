"""A circuit breaker in a real Envoy with three workers is exact: all of them count in one place."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh, until
from tests.limits.rig import Caller, mesh_with
from weft.agent.breakers import VARIABLE, BreakerState, make_file, read_file

pytestmark = pytest.mark.live
_TURNS = """
apiVersion: weft.dev/v1alpha1
kind: CircuitBreaker
metadata: {{name: {name}, namespace: shop}}
spec:
  targetRefs: [{{kind: Service, name: reviews}}]
  {rules}
"""


class Guarded:
    """A running mesh, and the file in which its caller's breakers are."""

    def __init__(self, mini: MiniMesh, file: Path, directory: Path) -> None:
        self.mini = mini
        self.file = file
        self._directory = directory

    def serve(self, name: str, rules: str) -> Caller:
        """Make these the rules of the breaker ``name``, which guards ``reviews``."""
        self.mini.serve(mesh_with(_TURNS.format(name=name, rules=rules), self._directory))
        return Caller(self.mini)

    def state(self, name: str) -> BreakerState:
        """What the agent would read."""
        found = {one.breaker: one for one in read_file(self.file, time.monotonic())}
        return found[f"shop/{name}"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    file = directory / "breakers"
    assert make_file(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(file))
        with minimesh(directory, world(), workers=3) as mini:
            found = Guarded(mini, file, directory)
            caller = found.serve("first", "failureThreshold: 1")
            until(lambda: _all_counted(found, caller))
            yield found


def _all_counted(guarded: Guarded, caller: Caller) -> bool:
    """Whether every worker has the filter by now: each takes up a changed listener in its own time."""
    caller.ask()
    before = guarded.state("first").calls
    caller.at_once(30)
    return guarded.state("first").calls == before + 30


def test_exactly_as_many_failures_as_the_threshold_open_it_and_then_nothing_passes(guarded: Guarded):
    caller = guarded.serve("exact", "failureThreshold: 5\n  openDuration: 60s")
    assert caller.statuses(4, x_app_status="500") == [500] * 4
    assert caller.statuses(1) == [200]
    assert caller.statuses(5, x_app_status="500") == [500] * 5
    assert set(caller.at_once(30)) == {503}
    assert caller.arrived() == 10
    answer = caller.ask()
    assert answer.headers["x-weft-circuit-breaker"] == "open"
    assert 50 < int(answer.headers["retry-after"]) <= 60
    state = guarded.state("exact")
    assert (state.state, state.calls, state.failures, state.refused, state.opened) == ("open", 10, 9, 31, 1)
    assert state.destination == "outbound|9080||reviews.shop.svc.cluster.local"


_OLD = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec: {host: reviews, subsets: [{name: old, labels: {version: v1}}]}
"""


def test_while_it_is_open_calls_go_to_its_fallback(guarded: Guarded):
    caller = guarded.serve("aside", f"force: Open\n  fallback: {{host: reviews, subset: old}}{_OLD}")
    answers = [caller.ask() for _ in range(6)]
    assert {(one.status, one.seen["application"]) for one in answers} == {(200, "reviews-v1")}


def test_the_grpc_statuses_that_count_are_chosen(guarded: Guarded):
    caller = guarded.serve("grpc", "failureThreshold: 2\n  openDuration: 60s\n  failureGrpcStatuses: [INTERNAL]")

    def statuses(code: int) -> list[int]:
        sends = f"grpc-status={code}|content-type=application/grpc"
        return caller.statuses(3, content_type="application/grpc", x_app_sends=sends)

    statuses(14)
    assert guarded.state("grpc").state == "closed"
    statuses(13)
    assert guarded.state("grpc").state == "open"
    assert guarded.state("grpc").failures == 2


def test_failures_that_come_at_once_are_counted_by_all_workers_together(guarded: Guarded):
    caller = guarded.serve("crowd", "failureThreshold: 7\n  openDuration: 60s")
    while caller.arrived() < 7:
        caller.at_once(2, x_app_status="500")
    assert caller.statuses(20, x_app_status="500") == [503] * 20
    assert caller.arrived() <= 8
    assert guarded.state("crowd").opened == 1


def test_as_many_trials_pass_as_are_wanted_and_they_close_it(guarded: Guarded):
    rules = "failureThreshold: 2\n  openDuration: 300ms\n  halfOpenRequests: 3"
    caller = guarded.serve("trials", rules)
    assert caller.statuses(2, x_app_status="500") == [500, 500]
    assert guarded.state("trials").opened == 1
    until(lambda: guarded.state("trials").remaining == 0)
    guarded.mini.notes.go.clear()
    with ThreadPoolExecutor(24) as threads:
        try:
            calls = [threads.submit(caller.ask, x_app_again="1") for _ in range(24)]
            until(lambda: sum(one.done() for one in calls) >= 21)
            assert {one.result().status for one in calls if one.done()} == {503}
        finally:
            guarded.mini.notes.go.set()
    assert Counter(one.result().status for one in calls) == {200: 3, 503: 21}
    assert caller.arrived() == 5
    assert guarded.state("trials").state == "closed"
    assert caller.statuses(4) == [200] * 4


def test_a_trial_that_fails_opens_it_again_for_twice_as_long_up_to_the_longest(guarded: Guarded):
    rules = "failureThreshold: 1\n  openDuration: 400ms\n  backoffFactor: 2\n  maxOpenDuration: 1s"
    caller = guarded.serve("backoff", rules)

    def opens(pause: float) -> None:
        """A failure opens it for so long, from a moment between the call and its answer."""
        called = time.monotonic()
        assert caller.ask(x_app_status="500").status == 500
        answered = time.monotonic()
        (state,) = (one for one in read_file(guarded.file, answered) if one.breaker == "shop/backoff")
        assert state.state == "open"
        assert called + pause - 0.01 <= answered + state.remaining <= answered + pause + 0.01
        until(lambda: guarded.state("backoff").remaining == 0)
        assert time.monotonic() >= called + pause - 0.01

    for pause in (0.4, 0.8, 1.0, 1.0):
        opens(pause)
    assert caller.ask().status == 200
    assert guarded.state("backoff").state == "closed"
    opens(0.4)


def test_several_successes_can_be_wanted_of_one_trial_at_a_time(guarded: Guarded):
    rules = "failureThreshold: 1\n  openDuration: 200ms\n  halfOpenRequests: 1\n  successThreshold: 2"
    caller = guarded.serve("patient", rules)
    assert caller.statuses(1, x_app_status="500") == [500]
    until(lambda: guarded.state("patient").remaining == 0)
    assert caller.ask().status == 200
    assert guarded.state("patient").state == "half-open"
    assert caller.ask().status == 200
    assert guarded.state("patient").state == "closed"


def test_a_rate_of_failures_opens_it_once_there_were_enough_calls(guarded: Guarded):
    rules = "failureRate: 50\n  requestVolume: 10\n  window: 20s\n  openDuration: 60s"
    caller = guarded.serve("rate", rules)
    assert caller.statuses(5) == [200] * 5
    assert caller.statuses(4, x_app_status="502") == [502] * 4
    assert guarded.state("rate").state == "closed"
    assert caller.statuses(2, x_app_status="502") == [502, 503]


def test_failures_leave_the_window_as_time_passes(guarded: Guarded):
    caller = guarded.serve("window", "failureThreshold: 3\n  window: 500ms\n  openDuration: 60s")
    assert caller.statuses(2, x_app_status="500") == [500, 500]
    time.sleep(0.6)
    assert caller.statuses(2, x_app_status="500") == [500, 500]
    assert guarded.state("window").state == "closed"
    until(lambda: caller.statuses(1, x_app_status="500") == [503])
    assert guarded.state("window").failures >= 5


def test_calls_that_take_too_long_open_it_though_they_succeed(guarded: Guarded):
    rules = "slowCallDuration: 400ms\n  slowCallRate: 60\n  requestVolume: 5\n  openDuration: 60s"
    caller = guarded.serve("slow", rules)
    assert caller.statuses(2) == [200, 200]
    assert caller.statuses(2, x_app_wait="0.45") == [200, 200]
    assert guarded.state("slow").state == "closed"
    assert caller.statuses(2, x_app_wait="0.45") == [200, 503]
    assert guarded.state("slow").slow == 3


def test_only_the_statuses_that_are_named_are_failures(guarded: Guarded):
    rules = 'failureThreshold: 2\n  failureStatuses: ["429", "500-502"]\n  openDuration: 60s'
    caller = guarded.serve("statuses", rules)
    assert caller.statuses(5, x_app_status="503") == [503] * 5
    assert caller.arrived() == 5
    assert caller.statuses(3, x_app_status="429") == [429, 429, 503]


def test_it_can_be_forced_and_reset(guarded: Guarded):
    caller = guarded.serve("forced", "failureThreshold: 1\n  openDuration: 60s\n  force: Open")
    assert caller.statuses(2) == [503, 503]
    assert guarded.state("forced").forced == "open"
    caller = guarded.serve("forced", "failureThreshold: 1\n  openDuration: 60s\n  force: Closed")
    assert caller.statuses(3, x_app_status="500") == [500] * 3
    caller = guarded.serve("forced", "failureThreshold: 1\n  openDuration: 60s")
    assert caller.statuses(2, x_app_status="500") == [500, 503]
    caller = guarded.serve("forced", "failureThreshold: 1\n  openDuration: 60s\n  resetAt: now")
    assert caller.statuses(1) == [200]


def test_a_trial_that_is_never_answered_makes_room_for_another(guarded: Guarded):
    rules = "failureThreshold: 1\n  openDuration: 200ms\n  trialTimeout: 2s"
    caller = guarded.serve("lost", rules)
    assert caller.statuses(1, x_app_status="500") == [500]
    until(lambda: guarded.state("lost").remaining == 0)
    caller.leave_when(lambda: caller.arrived() == 2, x_app_wait="5")
    assert caller.statuses(1) == [503]
    until(lambda: caller.statuses(1) == [200])
    assert guarded.state("lost").state == "closed"


def test_what_callers_read_while_it_is_open_can_be_chosen(guarded: Guarded):
    rules = 'failureThreshold: 1\n  response: {status: 429, body: "later", headers: {x-why: broken}}'
    caller = guarded.serve("answer", rules)
    assert caller.ask(x_app_status="500").status == 500
    answer = caller.ask()
    assert (answer.status, answer.body, answer.headers["x-why"]) == (429, b"later", "broken")
