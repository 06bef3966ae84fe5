"""weft-client and weft, installed alone and together: ``weft.Client`` is there each time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = (
    "import weft, weft_client; assert weft.Client('reviews').service == 'reviews'\n"
    "assert weft.__file__.endswith('weft.py')\n"
    "assert weft.Client is weft_client.Client and weft.deadline and weft.remaining\n"
    "try: weft.cli\nexcept AttributeError as missing: assert 'without weft itself' in str(missing)\n"
    "else: raise SystemExit('what is that?')"
)
BUNDLED = (
    "import weft; assert weft.__path__; assert weft.AsyncClient('reviews').service == 'reviews'\n"
    "import weft_client; assert 'agent' in weft_client.__file__; import weft.kit.errors"
)
TOGETHER = (
    "import weft, weft_client; assert weft.__path__ and weft.Client is weft_client.Client\n"
    "assert 'agent' not in weft_client.__file__; import weft.kit.errors"
)
CHECKOUT = (
    "import sys; sys.path.append({place!r}); import weft; assert weft.__path__ and weft.Client; import weft.kit.errors"
)
PLUGINS = "import importlib.metadata as m; print(sorted((p.name, p.value) for p in m.entry_points(group='pytest11')))"


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_client_works_alone_with_weft_and_after_either_is_gone(tmp_path: Path) -> None:
    client, weft = _wheel(ROOT / "client", tmp_path / "client"), _wheel(ROOT, tmp_path / "weft")
    _run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    fresh = Fresh(tmp_path / "venv" / "bin" / "python")

    fresh.pip("install", "--no-deps", "--no-index", str(client))
    fresh.python(ALONE)
    fresh.python(CHECKOUT.format(place=str(ROOT / "src")))
    assert fresh.python(PLUGINS) == "[('weft', 'weft_client.pytest_plugin')]"

    fresh.pip("install", "--no-deps", "--no-index", str(weft))
    fresh.python(TOGETHER)
    assert fresh.python(PLUGINS) == "[('weft', 'weft.testing.plugin'), ('weft', 'weft_client.pytest_plugin')]"

    fresh.pip("uninstall", "--yes", "weft-client")
    fresh.python(BUNDLED)

    fresh.pip("install", "--no-deps", "--no-index", str(client))
    fresh.pip("uninstall", "--yes", "weft")
    fresh.python(ALONE)


class Fresh:
    """A Python with nothing installed."""

    def __init__(self, python: Path) -> None:
        self._python = str(python)

    def pip(self, command: str, *options: str) -> None:
        _run(
            sys.executable,
            "-m",
            "pip",
            "--python",
            self._python,
            "-q",
            "--disable-pip-version-check",
            command,
            *options,
        )

    def python(self, program: str) -> str:
        return _run(self._python, "-I", "-c", program)


def _wheel(project: Path, into: Path) -> Path:
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into))
    _run(*command, cwd=project)
    (wheel,) = into.glob("*.whl")
    return wheel


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
