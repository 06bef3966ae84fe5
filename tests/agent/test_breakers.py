"""The file that an Envoy's workers share, as the agent makes and reads it."""

import ctypes
import json
import re
from pathlib import Path

import pytest

from weft.agent.breakers import _SLOT, SLOTS, BreakerReports, make_file, read_file
from weft.agent.http import Answer, Unanswered
from weft.compiler.http_filters import breaker_script
from weft.kit.clock import FakeClock

_SIZES = {
    "char": ctypes.c_char,
    "double": ctypes.c_double,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
}


class _Layout(ctypes.Structure):
    """What the script says, as a C compiler would lay it out."""


def _fields() -> list[tuple[str, type]]:
    (text,) = re.findall(r"typedef struct \{([^}]*)\} weft_breaker;", breaker_script.SCRIPT)
    found: list[tuple[str, type]] = []
    for line in (part.strip() for part in text.split(";") if part.strip()):
        kind, _, names = line.partition(" ")
        for name in names.split(","):
            shape: type = _SIZES[kind]
            for length in reversed(re.findall(r"\[(\d+)\]", name)):
                shape = shape * int(length)
            found.append((name.partition("[")[0].strip(), shape))
    return found


_Layout._fields_ = _fields()


def test_the_agent_reads_the_layout_that_the_script_writes(tmp_path: Path):
    file = tmp_path / "breakers"
    assert make_file(file)
    slot = _Layout(since=5.0, until_=130.0, calls=9, failures=4, slow=3, refused=2, opened=1, state=1, generation=8)
    slot.name = b"shop/reviews|outbound|9080||reviews"
    with file.open("r+b") as handle:
        handle.seek(ctypes.sizeof(_Layout))
        handle.write(bytes(slot))
    (found,) = read_file(file, now=100.0)
    assert (found.breaker, found.destination) == ("shop/reviews", "outbound|9080||reviews")
    assert (found.state, found.forced, found.since, found.remaining) == ("open", "", 5.0, 30.0)
    assert (found.calls, found.failures, found.slow, found.refused, found.opened) == (9, 4, 3, 2, 1)
    assert found.generation == 8


def test_both_sides_agree_on_sizes():
    assert ctypes.sizeof(_Layout) == _SLOT.size
    assert breaker_script.SLOTS == SLOTS


def test_a_new_file_is_empty_private_and_on_the_disk_in_full(tmp_path: Path):
    file = tmp_path / "breakers"
    file.write_bytes(b"x" * 5000)
    assert make_file(file)
    assert file.stat().st_size == _SLOT.size * SLOTS
    assert file.stat().st_blocks * 512 >= _SLOT.size * SLOTS
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_file(file, 0.0) == ()


def test_where_no_file_can_be_there_is_none(tmp_path: Path):
    assert not make_file(tmp_path / "missing" / "breakers")
    assert read_file(tmp_path / "missing", 0.0) == ()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 4096])
def test_a_file_that_is_none_disturbs_nobody(content: bytes, tmp_path: Path):
    file = tmp_path / "breakers"
    file.write_bytes(content)
    read_file(file, 0.0)


class _Client:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.away = False

    async def request(self, method: str, path: str, body: bytes) -> Answer:
        assert (method, path) == ("PUT", "/v1/breakers/web-1")
        if self.away:
            raise Unanswered("away")
        self.sent.append(body)
        return Answer(status=204, body=b"")


@pytest.mark.asyncio
async def test_what_turned_is_told_at_once_and_again_from_time_to_time(tmp_path: Path):
    file, client, clock = tmp_path / "breakers", _Client(), FakeClock()
    make_file(file)
    reports = BreakerReports(file, "web-1", lambda: client, clock)  # type: ignore[arg-type,return-value]

    def write(state: int, generation: int) -> None:
        slot = _Layout(state=state, generation=generation)
        slot.name = b"shop/reviews|reviews"
        with file.open("r+b") as handle:
            handle.seek(ctypes.sizeof(_Layout))
            handle.write(bytes(slot))

    await reports._look()
    assert client.sent == []
    write(0, 0)
    client.away = True
    await reports._look()
    client.away = False
    await reports._look()
    await reports._look()
    write(1, 1)
    await reports._look()
    clock.advance(11)
    await reports._look()
    assert [json.loads(one)["breakers"][0]["state"] for one in client.sent] == ["closed", "open", "open"]
