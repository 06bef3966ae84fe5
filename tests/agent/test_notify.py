"""A service manager hears that programs are replaced, and when that is over; never that what still starts is ready."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.agent import notify
from weft.agent.config import AgentConfig


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(notify, "_said", [])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield heard


def test_a_reload_ends_with_the_words_of_before(manager: socket.socket) -> None:
    notify.ready("reviews-1 serves reviews")
    notify.reloading("another envoy takes over")
    notify.reloaded()
    first, second, third = (manager.recv(4096).decode().splitlines() for _ in range(3))
    assert first == third == ["READY=1", "STATUS=reviews-1 serves reviews"]
    assert (second[0], second[1].partition("=")[0], second[2]) == (
        "RELOADING=1",
        "MONOTONIC_USEC",
        "STATUS=another envoy takes over",
    )


def test_an_end_may_take_as_long_as_its_drain(manager: socket.socket) -> None:
    config = AgentConfig(service="s", name="s-1", command=(), state_dir=Path(), drain_seconds=600.0, stop_seconds=10.0)
    notify.stopping("draining", config.ending_seconds)
    said = dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())
    assert said["STOPPING"] == "1"
    assert 610_000_000 < int(said["EXTEND_TIMEOUT_USEC"]) < 660_000_000


def test_what_was_never_ready_is_not_made_so_by_a_reload(manager: socket.socket) -> None:
    notify.reloading("another envoy takes over")
    notify.reloaded()
    notify.starting("the sidecar is ready, the application is not")
    assert manager.recv(4096) == b"STATUS=the sidecar is ready, the application is not"
