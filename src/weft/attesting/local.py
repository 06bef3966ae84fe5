"""Processes of this host, known by the kernel: a Unix socket tells who has connected (``SO_PEERCRED``, unix(7)).

The number of a process may be given to another one as soon as it has ended. So it is held by a pidfd, of the very
process that connected where the kernel gives one (``SO_PEERPIDFD``, Linux 6.5), and what is read of it in ``/proc``
counts only if it is still there, began no later, and belongs to the same user afterwards.
"""

import asyncio
import os
import select
import socket
import struct
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from weft.attesting.choice import LocalRule
from weft.ca.proof import Process, Proof, Unproved
from weft.model.identity import Identity, parse_identity

_CREDENTIALS = struct.Struct("iII")
_PEER_PIDFD = 77
_START = 21
"""Of the fields after the name in ``/proc/PID/stat``: the time that it began (proc_pid_stat(5), field 22)."""


class PeerGone(Unproved):
    """The process that connected has ended, or is another one by now."""


class LocalProcesses:
    """Lets processes have the accounts that rules give them."""

    def __init__(self, rules: tuple[LocalRule, ...], trust_domain: str) -> None:
        self._rules = rules
        self._trust_domain = trust_domain

    async def identity(self, proof: Proof) -> Identity:
        """The account that a process asked for, if it may have it. Raises ``Unproved``."""
        process = proof.process
        if process is None:
            raise Unproved("nobody knows which process this is")
        self.require(process, proof.namespace, proof.account)
        return parse_identity(f"spiffe://{self._trust_domain}/ns/{proof.namespace}/sa/{proof.account}")

    def require(self, process: Process, namespace: str, account: str) -> None:
        """Raises ``Unproved`` if no rule gives the account to such a process."""
        rules = [rule for rule in self._rules if rule.namespace == namespace and account in rule.accounts]
        if not any(_is_meant(rule, process) for rule in rules):
            who = f"a process of uid {process.uid}, gid {process.gid} ({process.executable or 'unknown program'})"
            raise Unproved(f"{who} may not be {namespace[:253]}/{account[:253]}")


def _is_meant(rule: LocalRule, process: Process) -> bool:
    return (
        (rule.uid is None or rule.uid == process.uid)
        and (rule.gid is None or rule.gid == process.gid)
        and (not rule.executable or rule.executable == process.executable)
    )


def process_of(connection: socket.socket) -> Process:
    """The process at the other end of a connection. Raises ``PeerGone``."""
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if pid <= 0:
        raise PeerGone("the process is of another PID namespace")
    held = _pidfd(connection, pid)
    try:
        began = _began(pid)
        executable = _executable(pid)
        if _has_ended(held) or _began(pid) != began or _owner(pid) != uid:
            raise PeerGone("the process is not the one that connected")
    except OSError as gone:
        raise PeerGone("the process that connected has ended") from gone
    finally:
        os.close(held)
    return Process(pid=pid, uid=uid, gid=gid, executable=executable)


def _pidfd(connection: socket.socket, pid: int) -> int:
    """A handle of the process that connected; of the one that has its number now where the kernel knows no better."""
    try:
        return struct.unpack("i", connection.getsockopt(socket.SOL_SOCKET, _PEER_PIDFD, 4))[0]  # type: ignore[no-any-return]
    except OSError:
        pass
    try:
        return os.pidfd_open(pid)
    except OSError as gone:
        raise PeerGone("the process that connected has ended") from gone


def _has_ended(held: int) -> bool:
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return bool(poll.poll(0))


def _began(pid: int) -> str:
    text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    return text.rpartition(")")[2].split()[_START - 2]


def _owner(pid: int) -> int:
    """The effective user: a program that took another one since is not who connected."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace").splitlines()
    return next(int(line.split()[2]) for line in lines if line.startswith("Uid:"))


def _executable(pid: int) -> str:
    """Its program, "" where we may not look; one that was replaced on the disk has another name."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except PermissionError:
        return ""


class ProcessProtocol(HttpToolsProtocol):
    """HTTP/1.1 that puts the ``Process`` of the client in ``scope["extensions"]["process"]``, ``None`` if unknown."""

    _process: Process | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel, once for each connection."""
        super().connection_made(transport)
        connection: Any = transport.get_extra_info("socket")
        try:
            self._process = process_of(connection)
        except PeerGone:
            self._process = None

    def on_message_begin(self) -> None:
        """Add it to the scope of each request."""
        super().on_message_begin()
        extensions: dict[str, Any] = {"process": self._process}
        self.scope["extensions"] = extensions
