"""Pairs of connections that are one, with real sockets."""

import select
import socket
import threading
from collections.abc import Iterator

import pytest

from weft.agent.capture.pump import Pair, Waiting

MUCH = bytes(range(256)) * 20_000
OPENED: list[socket.socket] = []


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """Turned by a thread for as long as a test lasts."""
    made, over = Waiting(), threading.Event()

    def turn() -> None:
        while not over.is_set():
            made.turn(0.01)

    thread = threading.Thread(target=turn)
    thread.start()
    yield made
    over.set()
    thread.join()
    while OPENED:
        OPENED.pop().close()


def joined(waiting: Waiting, first: bytes = b"") -> tuple[socket.socket, socket.socket]:
    """Two ends with a pair between them."""
    near, one = connected()
    other, far = connected()
    one.setblocking(False)
    other.setblocking(False)
    Pair(waiting, one, other, first)
    for end in (near, far):
        end.settimeout(5)
    return near, far


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        OPENED.extend((client, accepted))
        return client, accepted


def heard(end: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size and (piece := end.recv(65_536)):
        said += piece
    return said


def test_what_is_to_be_said_first_comes_before_all(waiting: Waiting) -> None:
    near, far = joined(waiting, b"header")
    with near, far:
        near.sendall(b" and request")
        assert heard(far, 18) == b"header and request"


def test_the_end_of_one_direction_leaves_the_other_open(waiting: Waiting) -> None:
    near, far = joined(waiting)
    with near, far:
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        assert heard(far, 100) == b"question"
        far.sendall(b"answer")
        far.shutdown(socket.SHUT_WR)
        assert heard(near, 100) == b"answer"


def test_a_slow_reader_gets_everything_in_both_directions(waiting: Waiting) -> None:
    near, far = joined(waiting)
    with near, far:
        writers = [threading.Thread(target=end.sendall, args=(MUCH,)) for end in (near, far)]
        for writer in writers:
            writer.start()
        select.select([], [], [], 0.2)
        assert heard(far, len(MUCH)) == MUCH
        assert heard(near, len(MUCH)) == MUCH
        for writer in writers:
            writer.join()


def test_a_connection_that_is_broken_off_is_broken_off_on_both_sides(waiting: Waiting) -> None:
    near, far = joined(waiting)
    with far:
        near.sendall(b"question")
        assert heard(far, 8) == b"question"
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_where_nobody_listens_the_other_side_is_told_and_whoever_asked(waiting: Waiting) -> None:
    near, one = connected()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        failed = threading.Event()
        onward = socket.socket()
        OPENED.append(onward)
        onward.setblocking(False)
        onward.connect_ex(nobody.getsockname())
        one.setblocking(False)
        Pair(waiting, one, onward, failed=failed.set, connecting=True)
        near.settimeout(5)
        with near, pytest.raises(ConnectionResetError):
            near.recv(1)
        assert failed.wait(5)
