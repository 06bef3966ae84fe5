"""Local processes are who the kernel says, and not whoever has their number by now."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.attesting import local
from weft.attesting.choice import LocalRule
from weft.attesting.local import LocalProcesses, PeerGone, process_of
from weft.ca.proof import Process, Proof, Unproved

UID, GID = os.getuid(), os.getgid()
RULES = (
    LocalRule(namespace="shop", accounts=("web", "api"), uid=1000),
    LocalRule(namespace="shop", accounts=("batch",), gid=2000, executable="/usr/bin/batch"),
)
CLIENT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.stdin.read(1)"


@contextlib.contextmanager
def connected(path: Path) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """A connection of another process, which lives as long as its standard input is open."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        client = subprocess.Popen([sys.executable, "-S", "-c", CLIENT, str(path)], stdin=subprocess.PIPE)
        try:
            connection, _ = listener.accept()
            with connection:
                yield connection, client
        finally:
            assert client.stdin is not None
            client.stdin.close()
            client.kill()
            client.wait()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("process", "account", "allowed"),
    [
        (Process(pid=1, uid=1000, gid=5), "web", True),
        (Process(pid=1, uid=1000, gid=5), "api", True),
        (Process(pid=1, uid=1001, gid=1000), "web", False),
        (Process(pid=1, uid=0, gid=0), "web", False),
        (Process(pid=1, uid=1000, gid=2000), "batch", False),
        (Process(pid=1, uid=7, gid=2000, executable="/usr/bin/batch"), "batch", True),
        (Process(pid=1, uid=7, gid=2000, executable="/usr/bin/batch (deleted)"), "batch", False),
        (None, "web", False),
    ],
)
async def test_rules_say_which_accounts_a_process_may_have(
    process: Process | None, account: str, allowed: bool
) -> None:
    processes = LocalProcesses(RULES, "cluster.local")
    proof = Proof(process=process, namespace="shop", account=account)
    if not allowed:
        with pytest.raises(Unproved):
            await processes.identity(proof)
        return
    assert (await processes.identity(proof)).uri == f"spiffe://cluster.local/ns/shop/sa/{account}"
    with pytest.raises(Unproved):
        await processes.identity(Proof(process=process, namespace="bank", account=account))


def test_the_kernel_tells_who_has_connected(tmp_path: Path) -> None:
    with connected(tmp_path / "s") as (connection, client):
        found = process_of(connection)
        executable = str(Path(f"/proc/{client.pid}/exe").readlink())
        assert found == Process(pid=client.pid, uid=UID, gid=GID, executable=executable)


def test_a_process_that_has_ended_is_nobody(tmp_path: Path) -> None:
    with connected(tmp_path / "s") as (connection, client):
        client.kill()
        client.wait()
        with pytest.raises(PeerGone):
            process_of(connection)


@pytest.mark.parametrize("names", [True, False], ids=["pidfd of the peer", "pidfd by number"])
def test_a_number_that_another_process_has_by_now_is_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: bool
) -> None:
    """What ``/proc`` says under the number changes while it is read, as if the number were given away."""
    if not names:
        monkeypatch.setattr(local, "_PEER_PIDFD", 9999)
    began, times = local._began, iter(["earlier"])
    monkeypatch.setattr(local, "_began", lambda pid: next(times, began(pid)))
    with connected(tmp_path / "s") as (connection, _), pytest.raises(PeerGone, match="prove"):
        process_of(connection)


def test_a_program_that_took_another_user_is_not_who_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_owner", lambda pid: UID + 1)
    with connected(tmp_path / "s") as (connection, _), pytest.raises(PeerGone):
        process_of(connection)


def test_nothing_stays_open(tmp_path: Path) -> None:
    """An attacker who connects again and again must not use up our files."""
    with connected(tmp_path / "s") as (connection, _):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            process_of(connection)
        assert len(os.listdir("/proc/self/fd")) == before
