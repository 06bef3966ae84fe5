"""What the proxies of this host say of themselves, when the control plane does not answer."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from weft.agent.status import Said
from weft.cli.main import weft
from weft.kit.errors import Unreachable

SINCE, MOMENT = 1_700_000_000.0, "2023-11-14 22:13:20Z"


@pytest.fixture
def agent() -> Iterator[int]:
    """The id of a process that looks like an agent's."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "weft.agent"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def away(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Commands whose control plane does not answer."""
    monkeypatch.setenv("WEFT_STATE", str(tmp_path))
    monkeypatch.setenv("WEFT_ADDR", f"https://127.0.0.1:{free_port()}")
    (tmp_path / "ca").mkdir()
    return lambda *words: CliRunner().invoke(weft, words)


def _say(state: Path, *said: Said) -> None:
    for one in said:
        directory = state / "workloads" / one.name
        directory.mkdir(parents=True)
        (directory / "agent.json").write_bytes(msgspec.json.encode(one))


def test_a_check_tells_which_proxies_use_their_last_good_configuration(
    tmp_path: Path, agent: int, away: Callable[..., Result]
) -> None:
    _say(
        tmp_path,
        Said(pid=agent, name="edge-1", state="ready", stale=SINCE, without=("kept://edge",)),
        Said(pid=agent, name="web-1", state="ready"),
        Said(pid=2**22 + 1, name="gone-1", state="ready", stale=SINCE),
    )
    told = away("check", "-o", "json")
    rows = [(one["name"], one["state"], one["message"]) for one in json.loads(told.stdout)["items"]]
    assert rows[0][:2] == ("control-plane-answers", "fail")
    assert rows[1:] == [
        ("proxy-last-good", "warn", f"edge-1 uses its last good configuration, of {MOMENT}, without kept://edge"),
        ("proxy-here", "ok", "web-1 is ready, and goes on with what it has"),
    ]
    assert told.exit_code != 0


def test_the_state_of_proxies_is_to_be_had_on_their_host(
    tmp_path: Path, agent: int, away: Callable[..., Result]
) -> None:
    assert "weft proxy here" not in _help(away("proxy", "status"))
    _say(tmp_path, Said(pid=agent, name="web-1", state="ready", stale=SINCE))
    assert "weft proxy here" in _help(away("proxy", "status"))
    assert MOMENT in away("proxy", "here").output


def _help(ended: Result) -> str:
    assert isinstance(ended.exception, Unreachable)
    return ended.exception.help or ""
