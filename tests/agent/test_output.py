"""What an application writes to stdout passes through its agent whole, and quickly enough."""

import resource
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live


def _run(code: str, *, keep: bool) -> tuple[bytes, float]:
    """What a program's output is, through an agent's child, and the processor's seconds that both took."""
    script = f"""
import asyncio, sys
from weft.agent.child import start_application
from weft.agent.ring import Ring
from weft.kit.clock import SystemClock
from pathlib import Path
import tempfile
async def main():
    with tempfile.TemporaryDirectory() as home:
        ring = Ring(Path(home) / "log", SystemClock())
        child = await start_application((sys.executable, "-c", {code!r}), {{}}, None, ring.append, output={keep})
        await child.wait()
        sizes = sum(one.stat().st_size for one in Path(home).iterdir())
        assert sizes <= 3 * 1024 * 1024, sizes
asyncio.run(main())
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_all_that_an_application_writes_comes_through_unchanged_to_the_last_byte():
    code = "import sys; [sys.stdout.write(f'{number}\\n') for number in range(400000)]"
    straight, alone = _run(code, keep=False)
    kept, beside = _run(code, keep=True)
    assert kept == straight
    assert kept.endswith(b"399999\n")
    assert beside < alone * 3 + 1
