"""What an agent answers who asks whether its workload is ready."""

import pytest

from weft.agent.answering import Answering
from weft.agent.status import Said

pytestmark = pytest.mark.asyncio


async def _asked(path: str, said: Said, *, well: bool = True) -> tuple[str, bytes]:
    return await Answering(lambda: said, lambda: well).answer(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")


@pytest.mark.parametrize("state", ["starting", "draining"])
async def test_a_workload_that_starts_or_drains_is_alive_and_not_ready(state: str) -> None:
    said = Said(pid=1, state=state)
    assert await _asked("/healthz/ready", said) == ("503 Service Unavailable", f"the workload is {state}\n".encode())
    assert (await _asked("/healthz/live", said))[0] == "200 OK"


async def test_an_application_that_is_ill_is_not_ready() -> None:
    assert (await _asked("/healthz/ready", Said(pid=1, state="ready"), well=False))[0] == "503 Service Unavailable"
    assert (await _asked("/healthz/ready?verbose", Said(pid=1, state="ready")))[0] == "200 OK"


async def test_a_stale_configuration_is_told_by_a_header() -> None:
    said = Said(pid=1, state="ready", stale=1_700_000_000.0)
    assert (await _asked("/healthz/ready", said))[0] == "200 OK\r\nx-weft-stale: 2023-11-14T22:13:20Z"


async def test_other_questions_have_no_answer() -> None:
    assert (await _asked("/quitquitquit", Said(pid=1)))[0] == "404 Not Found"
    assert (await Answering(lambda: Said(pid=1), lambda: True).answer("\r\n\r\n"))[0] == "404 Not Found"
