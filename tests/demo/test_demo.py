"""The demo when it is interrupted; that it proves what it says is tried with the wheel, as a user would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest


@pytest.mark.live
@pytest.mark.timeout(90)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("runs", "pause"), [(False, 0.5), (True, 0.0), (True, 5.0)])
def test_a_demo_that_is_interrupted_twice_leaves_no_process_and_no_traceback(
    runs: bool, pause: float, number: signal.Signals, tmp_path: Path
) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "weft", "demo", "--once"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert demo.stderr is not None
    begun = demo.stderr.readline() if runs else ""
    time.sleep(pause)
    for _ in range(2):
        demo.send_signal(number)
        time.sleep(0.1)
    _, said = demo.communicate(timeout=60)
    assert ("control plane started" in begun) is runs
    assert "Traceback" not in said, said
    assert demo.returncode == 130 or (number == signal.SIGTERM and not runs)
    assert [pid for pid in psutil.pids() if _belongs(pid, tmp_path)] == []
    assert not list(tmp_path.glob("weft-demo-*"))


def _belongs(pid: int, folder: Path) -> bool:
    """Whether a process that still runs got this temporary directory."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TMPDIR") == str(folder)
    except psutil.Error:
        return False
