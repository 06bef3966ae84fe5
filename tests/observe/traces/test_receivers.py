"""What is passed on is taken by receivers of OTLP that others wrote."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.observe.traces.exports import Made, exported
from weft.demo.processes import free_port
from weft.kit.tasks import tasks
from weft.model.identity import Identity
from weft.observe.traces.forwarding import span_shipper
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
TRACE_VIEW = shutil.which("tv", path=str(Path(sys.executable).parent)) or ""
WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
SPANS = 25


class Viewer:
    """trace-view: OTLP over HTTP into an SQLite file."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._file = directory / "traces.db"
        command = (TRACE_VIEW, "-p", str(self.port), "-d", str(self._file), "serve")
        self.process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def spans(self) -> set[tuple[str, str]]:
        """The services and identifiers of spans that it has."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as database:
            return set(database.execute("SELECT json_extract(metadata, '$.\"service.name\"'), id FROM spans"))


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    if not TRACE_VIEW:
        pytest.skip("trace-view is not installed")
    made = Viewer(tmp_path)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.wait(10)


async def test_trace_view_has_every_span_that_was_passed_on(viewer: Viewer) -> None:
    shipper = span_shipper(f"otlp+http://127.0.0.1:{viewer.port}")
    tracing = Tracing(Traces(None), (shipper.ship,))
    async with tasks() as group:
        group.start(shipper.run(), "spans")
        for number in range(1, SPANS + 1):
            made = Made("web", number, trace=number, name=f"GET /{number}", error=number % 2 == 0)
            for _ in tracing.take(WEB, exported(made).SerializeToString()):
                pass
        wanted = {("web", f"{number:016x}") for number in range(1, SPANS + 1)}
        async with asyncio.timeout(20):
            while await asyncio.to_thread(_seen, viewer) != wanted:  # noqa: ASYNC110  what others saw is no event
                await asyncio.sleep(0.1)
    assert shipper.status().dropped == 0


def _seen(viewer: Viewer) -> set[tuple[str, str]]:
    try:
        return viewer.spans()
    except sqlite3.OperationalError:  # it has not begun
        return set()
