"""A real sidecar is read as Prometheus does it: Istio's metrics, with the application's own."""

import asyncio
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running, until_true
from weft.agent.config import Scraped

_ISTIOS = 'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"\n'
"""The name is Istio's."""
_SIDES = ("source", "destination")
pytestmark = [pytest.mark.asyncio, pytest.mark.live]


async def test_a_sidecar_is_scraped_with_its_application(tmp_path: Path, free_port: Callable[[], int]) -> None:
    mesh, port = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0), free_port()
    config = await mesh.config("reviews-1", scrape_port=port, metrics=Scraped(port=free_port()))
    async with mesh.serving(), running(config) as agent:
        await agent.says("reviews-1 is registered for reviews")
        await until_true(agent.answers)
        for _ in range(20):
            assert (await agent.call()).status == 200

        async def told() -> str:
            """What is read, once the durations are in it: Envoy tells them some seconds after the number of calls."""
            text = await _read(port)
            sides = [line for line in text.splitlines() if "_duration_milliseconds_bucket" in line]
            return text if all(any(f'reporter="{one}"' in line for line in sides) for one in _SIDES) else ""

        await until_true(told)
        text = await told()
        assert 'source_workload="reviews"' in text
        for side in _SIDES:
            assert f'reporter="{side}"' in text
        for bound in ("0.5", "1000", "3600000", "+Inf"):
            assert f'le="{bound}"' in text
        assert "weft_application_scrape_failed 1" in text
        checked = await asyncio.to_thread(_promtool, text)
        assert checked == ""


async def _read(port: int) -> str:
    return await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/stats/prometheus")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return answer.read().decode()


def _promtool(text: str) -> str:
    """What it complains of, if it is there."""
    if shutil.which("promtool") is None:
        return ""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).replace(_ISTIOS, "")
