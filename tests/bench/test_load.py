"""The load: against a server that the test controls, and wrk's words."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from bench.load import Place, at_rate, get, once, parse_wrk, saturate
from weft.demo.processes import Failed

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@contextmanager
def _server(answer: bytes, pause: float = 0.0, served: list[int] | None = None) -> Iterator[Place]:
    """A server that gives the same answer to every request, each connection with a thread, and counts in ``served``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=[listening, answer, pause, served], daemon=True).start()
        yield Place(port=listening.getsockname()[1], request=get("/", "test"))
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, answer: bytes, pause: float, served: list[int] | None) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=[connection, answer, pause, served], daemon=True).start()


def _serve(connection: socket.socket, answer: bytes, pause: float, served: list[int] | None) -> None:
    with connection, suppress(OSError):
        while connection.recv(65536):
            time.sleep(pause)
            half = len(answer) // 2
            connection.sendall(answer[:half])
            connection.sendall(answer[half:])
            if served is not None:
                served.append(1)


def test_a_fixed_rate_sends_just_as_many_requests_as_were_asked_for() -> None:
    with _server(_OK) as place:
        begun = time.monotonic()
        rated = at_rate(place, 0.5, rate=100)
    assert rated.requests == 50
    assert time.monotonic() - begun >= 0.49


def test_latency_is_counted_from_when_a_request_was_due_not_from_when_it_was_sent() -> None:
    with _server(_OK, pause=0.05) as place:
        rated = at_rate(place, 0.25, rate=800)
    # 16 connections serve 320 requests/s of 800: the last of 200 is due after 0.25 s and answered after 0.6 s.
    assert rated.p99 > 200


def test_saturation_without_wrk_counts_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    served: list[int] = []
    with _server(_OK, pause=0.02, served=served) as place:
        load = saturate(place, 0.2)
        while len(served) < load.requests:
            time.sleep(0.01)
    assert load.requests == len(served) >= 32
    assert load.seconds >= 0.2


def test_an_answer_that_is_not_200_ends_the_run() -> None:
    with _server(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n") as place:
        assert not once(place)
        with pytest.raises(Failed, match="503"):
            at_rate(place, 0.1)


def test_nobody_listening_is_no_answer() -> None:
    with _server(_OK) as place:
        assert once(place)
    assert not once(place)


def test_wrk_is_believed_only_when_every_answer_was_good() -> None:
    said = "  38063 requests in 1.10s, 44.32MB read\nRequests/sec:  34602.5\n"
    load = parse_wrk(said)
    assert (load.requests, load.seconds) == (38063, 1.1)
    with pytest.raises(Failed):
        parse_wrk(said + "  Non-2xx or 3xx responses: 4\n")
    with pytest.raises(Failed):
        parse_wrk(said + "  Socket errors: connect 0, read 3, write 0, timeout 0\n")
    with pytest.raises(Failed, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1")
