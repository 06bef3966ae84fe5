"""A real Prometheus over the same samples, to compare answers with."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.observe.promql.samples import World
from weft.observe.promql.digits import text_of
from weft.observe.promql.series import NAME

PROMETHEUS = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")


@contextmanager
def prometheus_of(world: World, directory: Path) -> Iterator[str]:
    """The address of a Prometheus that has the world's samples and scrapes nothing."""
    assert PROMETHEUS is not None
    assert PROMTOOL is not None
    samples, data = directory / "samples.txt", directory / "data"
    samples.write_text(open_metrics(world))
    made = [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", str(samples), str(data)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    configuration = directory / "prometheus.yml"
    configuration.write_text("scrape_configs: []\n")
    command = [
        PROMETHEUS,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
    ]
    with listening([*command, "--web.listen-address={}"], "/-/ready") as address:
        yield address


@contextmanager
def listening(command: list[str], ready: str) -> Iterator[str]:
    """A server's URL; ``{}`` in its command is where it is to listen, ``ready`` a path that says when it does."""
    with socket.socket() as holder:
        # Bound, never listening: nobody else gets the port, and the server may take it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with _running([part.format(address) if part.endswith("{}") else part for part in command]):
            _wait(f"http://{address}{ready}")
            yield f"http://{address}"


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def _wait(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx2.get(address).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{address} does not become ready")
        time.sleep(0.05)


def open_metrics(world: World) -> str:
    """The samples as text that Prometheus' tool reads."""
    lines = []
    for labels, times, values in world.series:
        name = dict(labels)[NAME]
        inner = ",".join(f'{key}="{value}"' for key, value in labels if key != NAME)
        lines += [
            f"{name}{{{inner}}} {text_of(value)} {moment / 1000:.3f}"
            for moment, value in zip(times, values, strict=True)
        ]
    return "\n".join(lines) + "\n# EOF\n"
