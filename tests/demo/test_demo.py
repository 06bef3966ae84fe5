"""The demo itself: a whole mesh from one command, proved, and nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_demo_proves_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "weft", "demo", "--once"],
        capture_output=True, text=True, timeout=280, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    claims = [line for line in done.stdout.splitlines() if "✓" in line]
    assert len(claims) == 10, done.stdout
    assert "0 lost" in done.stdout
    assert not list(tmp_path.glob("weft-demo-*")), "the demo's directory is still there"
