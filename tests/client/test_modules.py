"""Modules that are patched can still be run."""

import os
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "client" / "src"


def test_a_module_that_is_patched_is_run_by_its_name() -> None:
    script = (
        "import weft_client.hooks, runpy, sys; weft_client.hooks.install(); sys.argv = ['x', '--help'];"
        "runpy.run_module('http.server', run_name='__main__')"
    )
    environment = os.environ | {"PYTHONPATH": str(CLIENT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
