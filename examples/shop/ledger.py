"""The ledger: double entry over plain TCP, one line a command, kept in SQLite.

    APPEND <id> <debit> <credit> <cents> [memo]    OK <entry>, or OK <entry> again for an id it knows
    SUM <account>                                  OK <cents>     debits less credits
    CHECK                                          OK <entries> <cents>     the sum over all accounts: 0
    TAIL <n>                                       the last n entries, oldest first, then a line with a dot
    PING                                           PONG ledger-v1-4711

A mistake is answered with `ERR <what>`, and the connection goes on. The file is LEDGER_DB, or one in a
temporary directory that goes when the ledger stops.
"""

import asyncio
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from process import DRAIN_SECONDS, Identity, address_of, bind, identity_of, log, stop_on_signals

LONGEST_LINE = 1024
IDLE_SECONDS = 2 * 3600
WORD = re.compile(r"[\w.:@/-]{1,128}")
SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, memo TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS posting (
    entry INTEGER NOT NULL REFERENCES entry (id), account TEXT NOT NULL, cents INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS posting_of_account ON posting (account, cents);
"""
TAIL = """
SELECT entry.id, entry.key, debit.account, credit.account, debit.cents, entry.memo FROM entry
JOIN posting AS debit ON debit.entry = entry.id AND debit.cents > 0
JOIN posting AS credit ON credit.entry = entry.id AND credit.cents < 0
WHERE entry.id > (SELECT coalesce(max(id), 0) FROM entry) - ? ORDER BY entry.id
"""


class Refused(ValueError):
    """A command that makes no sense; the caller is told, the connection goes on."""


def word(text: str, what: str) -> str:
    if not WORD.fullmatch(text):
        raise Refused(f"{what} must be 1 to 128 letters, digits or . : @ / _ -")
    return text


def number(text: str, what: str, highest: int) -> int:
    if not re.fullmatch("[0-9]{1,15}", text) or not 1 <= int(text) <= highest:
        raise Refused(f"{what} must be a whole number from 1 to {highest}")
    return int(text)


class Ledger:
    """The entries. Each is one transaction of two postings that cancel out, so the whole sums to nothing."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file)
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)
        self._db.execute("CREATE INDEX IF NOT EXISTS posting_of_entry ON posting (entry)")

    def close(self) -> None:
        self._db.close()

    def append(self, key: str, debit: str, credit: str, cents: int, memo: str) -> tuple[int, bool]:
        """The entry's number, and whether it is new: a repeated key changes nothing."""
        if debit == credit:
            raise Refused("the two accounts must differ")
        with self._db:
            known = self._db.execute("SELECT id FROM entry WHERE key = ?", (key,)).fetchone()
            if known:
                return known[0], False
            entry = self._db.execute("INSERT INTO entry (key, memo) VALUES (?, ?)", (key, memo)).lastrowid
            postings = [(entry, debit, cents), (entry, credit, -cents)]
            self._db.executemany("INSERT INTO posting VALUES (?, ?, ?)", postings)
        return entry or 0, True

    def sum(self, account: str) -> int:
        row = self._db.execute("SELECT coalesce(sum(cents), 0) FROM posting WHERE account = ?", (account,))
        return int(row.fetchone()[0])

    def check(self) -> tuple[int, int]:
        """How many entries there are, and what all postings add up to."""
        entries = self._db.execute("SELECT count(*) FROM entry").fetchone()[0]
        return entries, self._db.execute("SELECT coalesce(sum(cents), 0) FROM posting").fetchone()[0]

    def tail(self, count: int) -> Iterable[tuple[object, ...]]:
        return self._db.execute(TAIL, (count,)).fetchall()


def answer(ledger: Ledger, who: Identity, line: str) -> str:
    """The answer to one line, without its line end; Refused if the command makes no sense."""
    match line.split(maxsplit=5):
        case ["APPEND", key, debit, credit, cents, *memo]:
            entry, new = ledger.append(
                word(key, "the id"),
                word(debit, "the debit account"),
                word(credit, "the credit account"),
                number(cents, "cents", highest=10**12),
                " ".join(memo),
            )
            return f"OK {entry}" if new else f"OK {entry} again"
        case ["SUM", account]:
            return f"OK {ledger.sum(word(account, 'the account'))}"
        case ["CHECK"]:
            return "OK {} {}".format(*ledger.check())
        case ["TAIL", count]:
            rows = ledger.tail(number(count, "the count", highest=1000))
            return "\n".join([*(" ".join(map(str, row)).rstrip() for row in rows), "."])
        case ["PING"]:
            return f"PONG {who}"
    raise Refused("expected APPEND <id> <debit> <credit> <cents> [memo], SUM <account>, CHECK, TAIL <n> or PING")


class Door:
    """The connections: answers each line in order, and knows who is inside when the ledger stops."""

    def __init__(self, ledger: Ledger, who: Identity) -> None:
        self.ledger, self.who = ledger, who
        self._inside: set[asyncio.StreamWriter] = set()

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside.add(writer)
        try:
            while line := await asyncio.wait_for(reader.readline(), IDLE_SECONDS):
                writer.write(f"{self._answer(line)}\n".encode())
                await writer.drain()
        except ValueError:  # the line was too long: where the next one starts is unknown
            writer.write(b"ERR the line is too long\n")
        except (OSError, TimeoutError):
            pass  # the peer is gone, or has been silent for hours: nobody is left to tell
        finally:
            self._inside.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> str:
        try:
            return answer(self.ledger, self.who, line.decode())
        except Refused as refusal:
            return f"ERR {refusal}"
        except UnicodeDecodeError:
            return "ERR the line is not UTF-8"

    def close(self) -> None:
        for writer in self._inside:
            writer.close()  # sends what is still buffered first


async def run(who: Identity, ledger: Ledger) -> None:
    stopping, door = asyncio.Event(), Door(ledger, who)
    stop_on_signals(stopping.set)
    bound = bind(7000)
    server = await asyncio.start_server(door.enter, sock=bound, limit=LONGEST_LINE)
    log(who, "listening", address=address_of(bound))
    await stopping.wait()
    server.close()
    door.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), DRAIN_SECONDS)
    log(who, "stopped")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        ledger = Ledger(Path(os.environ.get("LEDGER_DB") or Path(folder) / "ledger.db"))
        try:
            asyncio.run(run(identity_of("ledger"), ledger))
        finally:
            ledger.close()


if __name__ == "__main__":
    main()
