"""What a workload said is kept in bounded files, and read by where one is in them."""

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from weft.agent.ring import Ring, Written, last_lines
from weft.kit.clock import FakeClock


def everything(ring: Ring, position: int = 0) -> bytes:
    found = b""
    while True:
        position, piece = ring.read(position, 7)
        if not piece:
            return found
        found += piece
        position += len(piece)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=40))
def test_the_end_of_what_was_said_is_kept_whole_in_bounded_files(tmp_path_factory, pieces: list[bytes]):
    path = tmp_path_factory.mktemp("ring") / "app.log"
    ring = Ring(path, FakeClock(), half=100)
    for piece in pieces:
        ring.append(piece)
    said = b"".join(pieces)
    kept = everything(ring)
    assert said.endswith(kept)
    assert len(kept) >= min(len(said), 60)
    assert sum(one.stat().st_size for one in path.parent.iterdir()) <= 240
    assert ring.end() == len(said)
    assert everything(Ring(path, FakeClock(), half=100)) == kept


def test_who_reads_slowly_is_told_where_what_is_left_begins(tmp_path: Path):
    ring = Ring(tmp_path / "log", FakeClock(), half=10)
    for number in range(10):
        ring.append(b"%d-line\n" % number)
    position, piece = ring.read(3, 100)
    assert (position, piece) == (56, b"8-line\n") or position > 3


def test_what_was_said_since_a_moment_is_found_by_the_second(tmp_path: Path):
    clock = FakeClock()
    ring = Ring(tmp_path / "log", clock)
    ring.append(b"old\n")
    clock.advance(60)
    middle = clock.now()
    ring.append(b"new\n")
    assert everything(ring, ring.since(middle - 30)) == b"new\n"
    assert everything(ring, ring.since(0)) == b"old\nnew\n"
    assert everything(ring, ring.since(middle + 5)) == b""


def test_the_last_lines_are_found(tmp_path: Path):
    ring = Ring(tmp_path / "log", FakeClock(), half=50)
    for number in range(12):
        ring.append(b"%02d-line\n" % number)
    assert everything(ring, last_lines(ring, 2)) == b"10-line\n11-line\n"
    assert everything(ring, last_lines(ring, 0)) == b""
    assert everything(ring, last_lines(ring, 1000)) == everything(ring)
    ring.append(b"begun")
    assert everything(ring, last_lines(ring, 1)) == b"begun"


def test_several_threads_lose_nothing(tmp_path: Path):
    ring = Ring(tmp_path / "log", FakeClock(), half=10_000)
    threads = [threading.Thread(target=lambda: [ring.append(b"x\n") for _ in range(500)]) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert everything(ring) == b"x\n" * 2000


def test_a_disk_that_takes_nothing_loses_lines_alone(tmp_path: Path):
    ring = Ring(tmp_path / "nowhere" / "log", FakeClock())
    ring.append(b"x")
    assert everything(ring) == b""


def test_envoys_log_is_read_by_its_times_and_from_its_beginning_when_it_was_emptied(tmp_path: Path):
    path = tmp_path / "envoy.log"
    path.write_text("[2026-01-01 10:00:00.000][1] a\nmore\n[2026-01-01 10:00:05.000][1] b\n")
    log = Written(path)
    from datetime import datetime

    moment = datetime(2026, 1, 1, 10, 0, 3).astimezone().timestamp()
    assert log.read(log.since(moment), 100)[1] == b"[2026-01-01 10:00:05.000][1] b\n"
    assert log.read(log.since(moment + 60), 100)[1] == b""
    end = log.end()
    path.write_text("new\n")
    assert log.read(end, 100) == (0, b"new\n")
    path.unlink()
    assert log.read(0, 100) == (0, b"")
