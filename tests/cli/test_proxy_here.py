"""Agents of this host are found while they become another program, and told apart from those that have ended."""

import os
import threading
import time
from pathlib import Path

import msgspec
import pytest

from weft.agent.status import FILE, Said
from weft.cli import proxy_here
from weft.kit.errors import UserError


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel tells of a process whose program changes at this moment: it is there and has no words."""
    place = tmp_path / "proc" / str(os.getpid())
    place.mkdir(parents=True)
    place.joinpath("exe").symlink_to("/usr/bin/python3")
    place.joinpath("cmdline").touch()
    monkeypatch.setattr(proxy_here, "_PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(proxy_here, "_BETWEEN", 0.2)
    return place


@pytest.fixture
def said(tmp_path: Path) -> Path:
    file = tmp_path / "web-1" / FILE
    file.parent.mkdir()
    file.write_bytes(msgspec.json.encode(Said(pid=os.getpid(), name="web-1", state="ready")))
    return file


def test_an_agent_that_becomes_another_program_is_waited_for_however_busy_the_machine(process: Path, said: Path):
    def begin() -> None:
        time.sleep(0.8)
        process.joinpath("cmdline").write_bytes(b"python\0-m\0weft.agent\0")

    starting = threading.Thread(target=begin)
    starting.start()
    try:
        assert proxy_here._now(said).name == "web-1"
    finally:
        starting.join()


def test_an_agent_whose_process_is_gone_or_another_has_ended(process: Path, said: Path):
    process.joinpath("cmdline").write_bytes(b"nginx\0")
    with pytest.raises(UserError, match="the agent of web-1 has ended"):
        proxy_here._now(said)
    process.joinpath("cmdline").write_bytes(b"")
    process.joinpath("exe").unlink()
    with pytest.raises(UserError, match="the agent of web-1 has ended"):
        proxy_here._now(said)
