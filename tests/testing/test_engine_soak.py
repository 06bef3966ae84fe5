"""The image and the output of ``weft compose`` in a container engine: whoever has one can try.

It is Docker's, found as its client finds it (``DOCKER_HOST``). The image is built of the checkout unless ``WEFT_IMAGE``
names one; ``WEFT_BASE_IMAGE`` is what it is built from, if not what its recipe says.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.cli.compose import meshed
from weft.cli.composed import Choices

ROOT = Path(__file__).parents[2]
PROJECT = f"weft-test-{os.getpid()}"
FILE = """
services:
  reviews:
    image: {image}
    entrypoint: [/weft/bin/python, -m, http.server, --bind, 127.0.0.1, "9080"]
    stop_grace_period: 1s
    labels: {{weft.dev/ports: 9080/http}}
  web:
    image: {image}
    entrypoint: [sleep, infinity]
    stop_grace_period: 1s
"""
CALL = "import urllib.request; print(urllib.request.urlopen('http://reviews:9080/', timeout=10).status)"


def _composing() -> tuple[str, ...]:
    """The command that understands compose files."""
    if shutil.which("docker") and _run("docker", "compose", "version", check=False).returncode == 0:
        return ("docker", "compose")
    return ("docker-compose",) if shutil.which("docker-compose") else ()


def _run(*command: str, check: bool = True, timeout: float = 900) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd="/")
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done


def _why_not() -> str:
    if shutil.which("docker") is None or _run("docker", "info", check=False, timeout=20).returncode:
        return "no docker daemon answers"
    return "" if _composing() else "there is neither docker compose nor docker-compose"


pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image() -> str:
    """The image of this checkout."""
    if why := _why_not():
        pytest.skip(why)
    if named := os.environ.get("WEFT_IMAGE"):
        return named
    base = os.environ.get("WEFT_BASE_IMAGE")
    given = ("--build-arg", f"PYTHON={base}") if base else ()
    _run("docker", "build", "--file", str(ROOT / "deploy/Containerfile"), "--tag", PROJECT, *given, str(ROOT))
    return PROJECT


@pytest.fixture(scope="module")
def shop(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The command that speaks of a meshed shop which is up."""
    file = tmp_path_factory.mktemp("shop") / "mesh.yaml"
    file.write_text(meshed(FILE.format(image=image), file.name, Choices(image=image), str))
    command = (*_composing(), "--project-name", PROJECT, "--file", str(file))
    try:
        _run(*command, "up", "--detach")
        yield command
    finally:
        _run(*command, "down", "--volumes", "--timeout", "5", check=False)


def test_a_call_of_one_container_to_another_goes_through_both_sidecars(shop: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 60
    while not (edges := _edges(shop)):
        assert call(shop) == "200\n"
        assert time.monotonic() < deadline, "the control plane saw no call"
    assert edges == ["mutual_tls"]


def test_no_sidecar_has_a_right_or_another_ones_token(shop: tuple[str, ...]) -> None:
    for service in ("reviews-weft", "weft"):
        status = inside(shop, service, "cat", "/proc/1/status")
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Uid:\t1337" in status
        refused = _run(*shop, "exec", "-T", service, "touch", "/weft/mine", check=False)
        assert refused.returncode != 0, "its file system is read-only"
    assert "join.token" in inside(shop, "web-weft", "ls", "/var/lib/weft")
    assert "join.token" not in inside(shop, "web", "ls", "/var/lib/weft"), "the application has none"


def test_what_was_stopped_ends_well_and_comes_back_without_a_token(shop: tuple[str, ...]) -> None:
    _run(*shop, "stop")
    for service in ("reviews-weft", "web-weft", "weft"):
        number = (
            _run(*shop, "ps", "--all", "--quiet", service, check=False).stdout
            or _run(*shop, "ps", "--quiet", service).stdout
        )
        state = _run("docker", "inspect", "--format", "{{.State.ExitCode}}", number.strip()).stdout
        assert state == "0\n", service
    _run(*shop, "up", "--detach")
    assert call(shop) == "200\n"


def _edges(shop: tuple[str, ...]) -> list[str]:
    """How calls to the service were secured."""
    edges = json.loads(inside(shop, "weft", "weft", "edges", "-o", "json"))["items"]
    return [one["security"] for one in edges if one["destination"]["workload"] == "reviews"]


def inside(shop: tuple[str, ...], service: str, *command: str) -> str:
    return _run(*shop, "exec", "-T", service, *command).stdout


def call(shop: tuple[str, ...]) -> str:
    """What the caller gets as any program would that heeds HTTP_PROXY."""
    return inside(shop, "web", "/weft/bin/python", "-c", CALL)
