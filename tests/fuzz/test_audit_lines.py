"""Whatever is done to the files of an audit log, verification tells of it and fails in no other way."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from weft.observe.audit import START, Head, chained, verify

FUZZ = settings(deadline=None)


def _log(count: int) -> list[bytes]:
    lines, previous = [], START
    for number in range(1, count + 1):
        line, previous = chained({"n": number, "who": f"user-{number}"}, previous)
        lines.append(line)
    return lines


LINES = _log(12)
HEAD = Head(number=12, hash=str(json.loads(LINES[-1])["hash"]))


def _directory(base: Path, *contents: bytes) -> Path:
    home = Path(tempfile.mkdtemp(dir=base))
    for number, content in enumerate(contents):
        (home / f"audit-{number:012d}.jsonl").write_bytes(content)
    return home


def test_what_nobody_touched_is_whole(tmp_path: Path) -> None:
    assert verify(_directory(tmp_path, b"".join(LINES)), HEAD).broken is None
    assert verify(_directory(tmp_path, b"".join(LINES[:5]), b"".join(LINES[5:])), HEAD).broken is None


def test_any_byte_that_is_changed_is_found(tmp_path_factory: Any) -> None:
    base = tmp_path_factory.mktemp("audit")
    content = b"".join(LINES)

    @FUZZ
    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    def changed(place: int, by: int) -> None:
        altered = bytearray(content)
        altered[place] ^= by
        assert verify(_directory(base, bytes(altered)), HEAD).broken is not None

    changed()


def test_any_lines_that_are_removed_or_moved_are_found(tmp_path_factory: Any) -> None:
    base = tmp_path_factory.mktemp("audit")

    @FUZZ
    @given(st.permutations(range(12)), st.integers(0, 12))
    def moved(order: list[int], kept: int) -> None:
        lines = [LINES[one] for one in order[:kept]]
        if lines != LINES:
            assert verify(_directory(base, b"".join(lines)), HEAD).broken is not None

    moved()


def _line(content: Any) -> bytes:
    if not isinstance(content, dict):
        return json.dumps(content).encode() + b"\n"
    return chained(content, START)[0]


def test_any_other_lines_are_told_of_and_break_nothing(tmp_path_factory: Any) -> None:
    """Their hashes may be right: whoever writes files can compute them."""
    base = tmp_path_factory.mktemp("audit")
    words = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
    entries = st.dictionaries(st.sampled_from(["n", "who", "previous", "time"]), words, max_size=4) | words

    @FUZZ
    @given(st.lists(entries.map(_line) | st.binary(max_size=30), max_size=5), st.booleans())
    @example([_line({"n": "x"})], True)
    @example([_line({})], True)
    @example([b"[" * 100_000 + b"\n"], True)
    def other(lines: list[bytes], old: bool) -> None:
        # Of a log that has lost its oldest files for their age, the first line that is there is believed.
        files = [b""] * 31 if old else []
        found = verify(_directory(base, *files, b"".join(lines)), HEAD)
        assert found.broken is not None

    other()
