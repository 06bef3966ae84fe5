"""The endpoint for Prometheus: two paths and nothing else, the application's metrics along, a flood for little."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.ports import held_port
from weft.agent.config import Scraped, parse_metrics
from weft.agent.http import Unanswered
from weft.agent.scraping import METRICS, READY, Scraping
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.model.series import End

REQUESTS = (
    'envoy_mesh_source_http_requests{peer="",principal="",service="outbound|80||a.b.svc.c",code="200",'
    'grpc="",flags="-"} 3\n'
)


class Envoy:
    """Stands for the admin interface."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False

    async def ask(self, path: str) -> str:
        self.asked.append(path)
        if self.silent:
            raise Unanswered("no answer in time")
        return "LIVE\n" if path == "/ready" else "# TYPE envoy_mesh_source_http_requests counter\n" + REQUESTS


async def ask(scraping: Scraping, *requests: str) -> list[tuple[str, str]]:
    """Statuses and bodies."""
    found = []
    with held_port() as port:
        serving = asyncio.get_running_loop().create_task(scraping.serve("127.0.0.1", port))
        try:
            for request in requests:
                reader, writer = await _connected(port)
                writer.write(f"{request} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
                found.append((head.split("\r\n")[0].removeprefix("HTTP/1.1 "), body))
                writer.close()
        finally:
            serving.cancel()
    return found


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as somebody listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_metrics_and_readiness_are_answered_and_nothing_else():
    envoy = Envoy()
    answers = await ask(
        Scraping(envoy.ask, End, None, FakeClock()),
        f"GET {METRICS}", f"GET {READY}", "GET /stats", "GET /config_dump", "POST /quitquitquit", f"POST {METRICS}",
    )  # fmt: skip
    assert [status for status, _ in answers] == ["200 OK", "200 OK", *["404 Not Found"] * 4]
    assert "istio_requests_total{" in answers[0][1]
    assert answers[1][1] == "LIVE\n"
    assert envoy.asked == ["/stats/prometheus?filter=^mesh%5C.", "/ready"]


@pytest.mark.asyncio
async def test_a_flood_of_questions_asks_envoy_once_a_second():
    envoy, clock = Envoy(), FakeClock()
    scraping = Scraping(envoy.ask, End, None, clock)
    await ask(scraping, *[f"GET {METRICS}"] * 5)
    clock.advance(1)
    await ask(scraping, f"GET {METRICS}")
    assert len(envoy.asked) == 2


@pytest.mark.asyncio
async def test_a_silent_sidecar_is_said():
    envoy = Envoy()
    envoy.silent = True
    ((status, body),) = await ask(Scraping(envoy.ask, End, None, FakeClock()), f"GET {METRICS}")
    assert (status, body) == ("503 Service Unavailable", "the sidecar does not answer: no answer in time\n")


@pytest.mark.asyncio
async def test_the_applications_metrics_come_along_and_its_silence_is_counted(free_port: Callable[[], int]):
    port = free_port()

    async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        body = b"own_metric 5\n" if asked == b"/own" else b"no"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(application, "127.0.0.1", port):
        scraping = Scraping(Envoy().ask, End, Scraped(port=port, path="/own"), FakeClock())
        ((_, body),) = await ask(scraping, f"GET {METRICS}")
    assert body.endswith("own_metric 5\n")
    silent = Scraping(Envoy().ask, End, Scraped(port=free_port()), FakeClock())
    ((_, body),) = await ask(silent, f"GET {METRICS}")
    assert "istio_requests_total{" in body
    assert body.endswith("weft_application_scrape_failed 1\n")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_has_no_complaint_about_what_a_sidecar_says():
    ((_, body),) = asyncio.run(ask(Scraping(Envoy().ask, End, None, FakeClock()), f"GET {METRICS}"))
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr + done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("text", "scraped"), [("8080", Scraped(port=8080)), ("8080:/own", Scraped(port=8080, path="/own"))]
)
def test_a_place_of_metrics_is_read(text: str, scraped: Scraped):
    assert parse_metrics(text) == scraped


@pytest.mark.parametrize("text", ["", "x", "0", "70000", "8080:own", ":/own", "80 80"])
def test_what_is_no_place_of_metrics_is_said(text: str):
    with pytest.raises(UserError):
        parse_metrics(text)
