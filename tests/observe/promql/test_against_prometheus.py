"""Every query answers what a real Prometheus answers that has the same samples."""

from collections.abc import Iterator

import httpx2
import msgspec
import pytest

from tests.observe.promql.comparing import same
from tests.observe.promql.queries import CANARY, LANGUAGE, RANGES, WRONG
from tests.observe.promql.real_prometheus import PROMETHEUS, PROMTOOL, prometheus_of
from tests.observe.promql.samples import BEGIN, END, mesh_world
from weft.observe.promql.columns import QueryError, Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.promql.rendering import instant_answer, range_answer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus on this machine"),
]
_WORLD = mesh_world()
_INSTANTS = (BEGIN + 1_000_000, BEGIN + 2_400_000, END + 60_000)
_STEPS = Steps(start=BEGIN + 60_000, end=END + 420_000, step=70_000)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a Prometheus that has the world."""
    directory = tmp_path_factory.mktemp("prometheus")
    with prometheus_of(_WORLD, directory) as address, httpx2.Client(base_url=f"{address}/api/v1") as client:
        yield client


@pytest.mark.parametrize("query", [*CANARY, *RANGES, *LANGUAGE])
def test_an_instant_is_answered_as_by_prometheus(real: httpx2.Client, query: str):
    for moment in _INSTANTS:
        ours = instant_answer(evaluate(query, Steps(start=moment, end=moment, step=1), _WORLD), moment)
        theirs = real.post("/query", data={"query": query, "time": str(moment / 1000)}).json()["data"]
        same(ours, theirs, ordered="sort" in query)


@pytest.mark.parametrize("query", [one for one in (*CANARY, *RANGES, *LANGUAGE) if one != '"text"'])
def test_a_range_is_answered_as_by_prometheus(real: httpx2.Client, query: str):
    ours = msgspec.json.decode(msgspec.json.encode(range_answer(evaluate(query, _STEPS, _WORLD), _STEPS)))
    form = {"query": query, "start": _STEPS.start / 1000, "end": _STEPS.end / 1000, "step": _STEPS.step / 1000}
    theirs = real.post("/query_range", data={key: str(value) for key, value in form.items()}).json()["data"]
    same(ours, theirs, ordered=True)


@pytest.mark.parametrize("query", WRONG)
def test_what_prometheus_refuses_is_refused(real: httpx2.Client, query: str):
    form = {"query": query, "start": _STEPS.start / 1000, "end": _STEPS.end / 1000, "step": _STEPS.step / 1000}
    theirs = real.post("/query_range", data={key: str(value) for key, value in form.items()}).json()
    assert theirs["status"] == "error"
    with pytest.raises(QueryError) as refused:
        range_answer(evaluate(query, _STEPS, _WORLD), _STEPS)
    assert refused.value.kind == theirs["errorType"]
