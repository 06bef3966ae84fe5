"""Bytes from one socket to another and back, for any number of pairs, by one thread that waits for all of them.

What a socket does not take at once stays with its pair, and no more is read until it does: a slow reader slows its
writer. The end of one direction is told the other side; a connection that is broken off is broken off on both sides.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Callable

_AT_ONCE = 65_536
_BROKEN = struct.pack("ii", 1, 0)
_IN, _OUT, _LOST = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR

Woken = Callable[[int], None]
"""Is told what is possible with a socket."""


class Waiting:
    """Who is to be told when something is possible with which socket."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._told: dict[int, tuple[int, Woken]] = {}

    def want(self, number: int, what: int, told: Woken) -> None:
        """From now on tell of that; 0: of nothing."""
        known = self._told.get(number)
        if known is not None and known[0] == what:
            return
        if known is None:
            if what:
                self._epoll.register(number, what)
        elif what:
            self._epoll.modify(number, what)
        else:
            self._epoll.unregister(number)
        if what:
            self._told[number] = what, told
        else:
            self._told.pop(number, None)

    def forget(self, number: int) -> None:
        """Tell of nothing any more; before it is closed."""
        if self._told.pop(number, None) is not None:
            self._epoll.unregister(number)

    def turn(self, timeout: float) -> None:
        """Wait until something is possible, and tell; at most so many seconds (-1: for ever).

        What one is told may close another's socket, and open one of its number: that is not told what the other was to.
        """
        found = [(number, what, self._told.get(number)) for number, what in self._epoll.poll(timeout)]
        for number, what, known in found:
            if known is not None and self._told.get(number) is known:
                known[1](what)


class _Side:
    """A socket of a pair: what waits to be sent to it, and whether it has said all."""

    def __init__(self, own: socket.socket) -> None:
        self.socket = own
        self.number = own.fileno()
        self.waiting = b""
        self.done = False
        self.connecting = False


class Pair:
    """Two connections that are one. ``connecting``: the second is not there yet, and gets ``first`` before all."""

    def __init__(
        self,
        waiting: Waiting,
        one: socket.socket,
        other: socket.socket,
        first: bytes = b"",
        failed: Callable[[], None] | None = None,
        *,
        connecting: bool = False,
    ) -> None:
        self._waiting = waiting
        self._one, self._other = _Side(one), _Side(other)
        self._other.waiting = first
        self._other.connecting = connecting
        self._failed = failed
        if first and not connecting:
            self._send(self._other)
        self._ask()

    def _ask(self) -> None:
        """Ask to be told of what is to be done next."""
        one, other = self._one, self._other
        self._waiting.want(one.number, self._wants(one, other), self._on_one)
        self._waiting.want(other.number, self._wants(other, one), self._on_other)

    @staticmethod
    def _wants(side: _Side, peer: _Side) -> int:
        if side.connecting:
            return _OUT
        reads = not side.done and not peer.waiting and not peer.connecting
        return (_IN if reads else 0) | (_OUT if side.waiting else 0)

    def _on_one(self, what: int) -> None:
        self._act(self._one, self._other, what)

    def _on_other(self, what: int) -> None:
        self._act(self._other, self._one, what)

    def _act(self, side: _Side, peer: _Side, what: int) -> None:
        try:
            if side.connecting:
                self._connected(side)
            elif what & _LOST and not what & _IN:
                raise ConnectionResetError
            if what & _OUT and side.waiting:
                self._send(side)
            if what & ~_OUT and not side.done and not peer.waiting and not peer.connecting:
                self._receive(side, peer)
        except OSError:
            self._break()
            return
        if self._one.done and self._other.done and not self._one.waiting and not self._other.waiting:
            self._close()
        else:
            self._ask()

    def _connected(self, side: _Side) -> None:
        if number := side.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            if self._failed is not None:
                self._failed()
            raise OSError(number, "not connected")
        side.connecting = False

    def _receive(self, side: _Side, peer: _Side) -> None:
        try:
            piece = side.socket.recv(_AT_ONCE)
        except BlockingIOError:
            return
        if piece:
            peer.waiting = piece
            self._send(peer)
            return
        side.done = True
        _finish(peer)

    def _send(self, side: _Side) -> None:
        try:
            sent = side.socket.send(side.waiting)
        except BlockingIOError:
            return
        side.waiting = side.waiting[sent:]

    def _break(self) -> None:
        for side in (self._one, self._other):
            break_off(side.socket)
        self._close()

    def _close(self) -> None:
        for side in (self._one, self._other):
            self._waiting.forget(side.number)
            side.socket.close()


def break_off(connection: socket.socket) -> None:
    """Have the other end know, when it is closed, that this was no orderly end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _BROKEN)


def _finish(side: _Side) -> None:
    """Say that nothing more comes."""
    with contextlib.suppress(OSError):
        side.socket.shutdown(socket.SHUT_WR)
