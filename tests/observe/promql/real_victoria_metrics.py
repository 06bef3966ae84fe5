"""A real VictoriaMetrics over the same samples, to compare answers with."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.observe.promql.real_prometheus import listening, open_metrics
from tests.observe.promql.samples import World

VICTORIA_METRICS = shutil.which("victoria-metrics")


@contextmanager
def victoria_metrics_of(world: World, directory: Path) -> Iterator[str]:
    """The address of a VictoriaMetrics that has the world's samples and scrapes nothing."""
    assert VICTORIA_METRICS is not None
    options = [f"-storageDataPath={directory / 'victoria'}", "-retentionPeriod=100y", "-memory.allowedBytes=64MB"]
    with listening([VICTORIA_METRICS, *options, "-httpListenAddr={}"], "/health") as address:
        # Its reader takes times in milliseconds, and no end of a file.
        lines = (line.rsplit(" ", 1) for line in open_metrics(world).splitlines() if not line.startswith("#"))
        told = "\n".join(f"{series} {round(float(time) * 1000)}" for series, time in lines)
        httpx2.post(f"{address}/api/v1/import/prometheus", content=told, timeout=30).raise_for_status()
        httpx2.get(f"{address}/internal/force_flush", timeout=30).raise_for_status()
        yield address
