import asyncio
from pathlib import Path

import pytest

from tests.examples.shop import Running, service, tell_ledger

pytestmark = pytest.mark.slow


@pytest.mark.asyncio
async def test_entries_are_double_and_the_whole_sums_to_nothing(ledger: Running) -> None:
    entries = ["APPEND a-1 receivables sales 500 two cones of linen", "APPEND a-2 cash receivables 200"]
    sums = ["SUM receivables", "SUM sales", "SUM cash", "SUM nobody", "CHECK", "TAIL 2"]
    assert await tell_ledger(ledger.address, *entries, *sums) == [
        *("OK 1", "OK 2", "OK 300", "OK -500", "OK 200", "OK 0", "OK 2 0"),
        *("1 a-1 receivables sales 500 two cones of linen", "2 a-2 cash receivables 200", "."),
    ]


@pytest.mark.asyncio
async def test_the_same_id_is_booked_once_even_from_many_connections_at_once(ledger: Running) -> None:
    answers = await asyncio.gather(*(tell_ledger(ledger.address, "APPEND k a b 7") for _ in range(8)))
    assert sorted(answers) == [["OK 1"], *[["OK 1 again"]] * 7]
    assert await tell_ledger(ledger.address, "SUM a", "CHECK") == ["OK 7", "OK 1 0"]


@pytest.mark.asyncio
async def test_ping_names_the_instance(ledger: Running) -> None:
    assert await tell_ledger(ledger.address, "PING") == [f"PONG ledger-v1-{ledger.process.pid}"]


REFUSED: tuple[tuple[str | bytes, str], ...] = (
    ("", "expected APPEND"),
    ("ping", "expected APPEND"),
    ("APPEND k a b", "expected APPEND"),
    ("APPEND k a b 0", "cents must be a whole number"),
    ("APPEND k a b 1.5", "cents must be a whole number"),
    ("APPEND k a b 9999999999999", "cents must be a whole number"),
    ("APPEND k a a 5", "the two accounts must differ"),
    ("APPEND k;DROP a b 5", "the id must be"),
    ("SUM 'a'", "the account must be"),
    ("TAIL 1001", "the count must be"),
    (b"SUM \xff", "the line is not UTF-8"),
)


@pytest.mark.asyncio
async def test_lines_that_make_no_sense_are_refused_and_the_connection_goes_on(ledger: Running) -> None:
    *refusals, after = await tell_ledger(ledger.address, *(line for line, _ in REFUSED), "CHECK")
    for (line, fault), refusal in zip(REFUSED, refusals, strict=True):
        assert refusal.startswith(f"ERR {fault}"), line
    assert after == "OK 0 0"


@pytest.mark.asyncio
async def test_a_line_without_end_closes_its_connection_and_no_other(ledger: Running) -> None:
    assert await tell_ledger(ledger.address, "x" * 5000) == ["ERR the line is too long"]
    assert await tell_ledger(ledger.address, "CHECK") == ["OK 0 0"]


@pytest.mark.asyncio
async def test_entries_in_a_named_file_outlive_the_ledger_and_it_stops_with_callers_inside(tmp_path: Path) -> None:
    for expected in ("OK 1", "OK 1 again"):
        with service("ledger.py", tmp_path, LEDGER_DB=str(tmp_path / "books.db")) as ledger:
            assert await tell_ledger(ledger.address, "APPEND k a b 7") == [expected]
            host, _, port = ledger.address.rpartition(":")
            inside, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"PING\n")
            assert (await inside.readline()).startswith(b"PONG")
            assert await asyncio.to_thread(ledger.stop) == 0
            assert await inside.read() == b""
            writer.close()


def test_the_temporary_file_goes_with_the_ledger(tmp_path: Path) -> None:
    with service("ledger.py", tmp_path, TMPDIR=str(tmp_path)) as ledger:
        assert list(tmp_path.glob("ledger-*/ledger.db"))
        assert ledger.stop() == 0
    assert not list(tmp_path.glob("ledger-*/"))
