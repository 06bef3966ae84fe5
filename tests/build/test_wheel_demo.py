"""What a user installs: the wheel, in an environment with nothing else, runs the demo, which proves everything and
leaves nothing behind."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.live
@pytest.mark.timeout(600)
def test_a_wheel_in_an_empty_environment_proves_the_demo(tmp_path: Path) -> None:
    run(ROOT, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.glob("weft-*.whl")
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    run(tmp_path, str(environment / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel))
    shown = run(tmp_path, str(environment / "bin/weft"), "demo", "--once")
    assert "proved in" in shown
    assert len([line for line in shown.splitlines() if "✓" in line]) == 10, shown
    assert "0 lost" in shown
    assert not list(tmp_path.glob("weft-demo-*")), "the demo's directory is still there"


def run(folder: Path, *command: str) -> str:
    """Run outside the checkout's environment; what it said appears only when it fails."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "WEFT_STATE")}
    environment = own | {"XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder)} if folder != ROOT else own
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
