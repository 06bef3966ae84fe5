"""Pytest's fixtures, in a pytest of their own: how soon a mesh is there, and that nothing of it is left."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(150)]
ROOT = Path(__file__).parents[2]
MOST_SECONDS = 3.0
"""From nothing to the first answer through two sidecars: the best of three, of more where others use the machine."""

CONFTEST = 'pytest_plugins = ["weft.testing.plugin"]\n'
MESHES = """
import statistics, time
import pytest

TOOK = []

def test_a_mesh_can_be_had(mesh):
    mesh.run("reviews", lambda request: "well")
    assert mesh.client("web").get("reviews").text == "well"

@pytest.mark.parametrize("number", range(10))
def test_a_mesh_of_its_own(request, number):
    if number >= 3 and min(TOOK) < 3:
        pytest.skip("soon enough, on a machine that others use, too")
    began = time.monotonic()
    mesh = request.getfixturevalue("mesh")
    mesh.run("reviews", lambda request: f"well {number}")
    assert mesh.client("web").get("reviews").text == f"well {number}"
    assert [call.status for call in mesh.calls("reviews")] == [200], "nothing of the mesh before is left"
    TOOK.append(time.monotonic() - began)

def test_it_takes_little_time():
    print("SECONDS", min(TOOK), statistics.median(TOOK))

def test_one_for_the_session(session_mesh):
    session_mesh.run("once", lambda: "a")
    assert session_mesh.client("web").get("once").text == "a"

def test_one_for_the_session_is_the_same(session_mesh):
    assert session_mesh.client("web").get("once").text == "a"
    print("ROOT", session_mesh.directory.parent)
"""
CRASH = """
import os, signal

def test_a_test_run_is_killed(mesh):
    mesh.run("reviews", ["python", "-m", "http.server", "0"], health="none")
    assert mesh.client("web").environment
    mesh.settle()
    print("ROOT", mesh.directory.parent, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
NOTHING = """
import sys

def test_nothing():
    assert not {"weft.app.control_plane", "weft.testing.mesh", "weft.testing.nurse"} & set(sys.modules)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of tests, after which no process that worked for them may be left."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    yield tmp_path
    assert _left(tmp_path) == []


def test_each_test_has_a_real_mesh_within_three_seconds_and_nothing_stays(folder: Path) -> None:
    (folder / "test_meshes.py").write_text(MESHES)
    done = _pytest(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    seconds = float(done.stdout.partition("SECONDS ")[2].split()[0])
    assert seconds < MOST_SECONDS
    assert not Path(done.stdout.partition("ROOT ")[2].split()[0]).exists()


def test_a_run_that_is_killed_leaves_neither_process_nor_file(folder: Path) -> None:
    (folder / "test_crash.py").write_text(CRASH)
    done = _pytest(folder)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    root = Path(done.stdout.partition("ROOT ")[2].split()[0])
    until = time.monotonic() + 20
    while (root.exists() or _left(folder)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not root.exists()


def test_tests_without_a_mesh_start_nothing(folder: Path) -> None:
    (folder / "test_nothing.py").write_text(NOTHING)
    done = _pytest(folder)
    assert done.returncode == 0, done.stdout + done.stderr


def _pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "MARK_OF_TEST": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-W", "error", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=140, env=environment, check=False)


def _left(folder: Path) -> list[str]:
    """Processes that have inherited the mark of a test's run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK_OF_TEST") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
