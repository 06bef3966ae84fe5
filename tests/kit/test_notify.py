"""What a service manager is told."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.kit.notify import notify, watchdog, watchdog_seconds


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield heard


def test_states_come_in_one_message_and_cannot_make_more_of_themselves(manager: socket.socket) -> None:
    notify("READY=1", "STATUS=well\nMAINPID=1")
    assert manager.recv(4096) == b"READY=1\nSTATUS=well MAINPID=1"


def test_an_abstract_socket_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0weft-{os.getpid()}")
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@weft-{os.getpid()}")
        notify("STOPPING=1")
        assert heard.recv(4096) == b"STOPPING=1"


@pytest.mark.parametrize("place", ["", "/nowhere/notify", "vsock:2:1"])
def test_nobody_who_listens_is_no_trouble(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    notify("READY=1")


def test_a_manager_that_does_not_read_holds_nobody_up(manager: socket.socket) -> None:
    for _ in range(2_000):
        notify("STATUS=" + "x" * 3000)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_manager_hears_twice_as_often_as_it_asks_if_it_asks_us(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_seconds(environment) == seconds


def test_the_watchdog_is_told_as_long_as_the_loop_turns(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)

    async def some_time() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watchdog(), 0.2)

    asyncio.run(some_time())
    assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3


def test_the_watchdog_of_nobody_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    asyncio.run(asyncio.wait_for(watchdog(), 5))
