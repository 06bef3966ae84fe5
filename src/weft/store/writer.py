"""The one thread that uses the database: it commits everything that waits in one transaction (group commit).

A write is acknowledged after its commit only. When a commit fails, every write of its batch is refused and the
transaction rolled back; nothing of it was seen by anyone.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from weft.store.source import Conflict, StoreUnavailable

R = TypeVar("R")


class Write(Generic[R]):
    """One write: ``make`` runs inside the transaction, ``then`` on the event loop after the commit."""

    def __init__(self, make: Callable[[sqlite3.Connection], R], then: Callable[[R], None]) -> None:
        self._make = make
        self._then = then
        self._result: R | None = None
        self._error: Exception | None = None
        self.answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    def make(self, connection: sqlite3.Connection) -> None:
        """Run inside the transaction. A conflict concerns this write alone: it is decided before anything changes."""
        try:
            self._result = self._make(connection)
        except Conflict as conflict:
            self._error = conflict

    def refuse(self, error: Exception) -> None:
        """The transaction failed."""
        self._error = error

    def finish(self) -> None:
        """Apply and answer, on the event loop. The applying does not depend on anyone still waiting."""
        if self._error is None:
            self._then(self._result)  # type: ignore[arg-type]  # make() set it: R, which may itself be None
        if self.answer.done():
            return
        if self._error is not None:
            self.answer.set_exception(self._error)
        else:
            self.answer.set_result(self._result)  # type: ignore[arg-type]  # as above


class Writer:
    """Owns the connection and its thread."""

    def __init__(self, connection: sqlite3.Connection, executor: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._executor = executor
        self._waiting: deque[Write[Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def write(self, make: Callable[[sqlite3.Connection], R], then: Callable[[R], None]) -> R:
        """Commit ``make``, then run ``then`` with what it returned, then return it.

        Raises ``StoreUnavailable``, or the ``Conflict`` that ``make`` raised.
        """
        self._refuse_when_closed()
        write = Write(make, then)
        self._waiting.append(write)
        self._executor.submit(self._commit_waiting)
        return await write.answer

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """Run a query between the transactions."""
        self._refuse_when_closed()
        try:
            return await self._loop.run_in_executor(self._executor, query, self._connection)
        except sqlite3.Error as failure:
            raise _unavailable(failure) from failure

    async def close(self) -> None:
        """Commit what waits, then close the connection and end the thread."""
        if self._closed:
            return
        self._closed = True
        await self._loop.run_in_executor(self._executor, self._connection.close)
        self._executor.shutdown()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _commit_waiting(self) -> None:
        batch: list[Write[Any]] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        if not batch:
            return
        try:
            self._commit(batch)
        except sqlite3.Error as failure:
            self._roll_back()
            for write in batch:
                write.refuse(_unavailable(failure))
        except Exception as bug:  # noqa: BLE001 - the boundary of the thread: whoever waits must be told
            self._roll_back()
            for write in batch:
                write.refuse(bug)
        self._loop.call_soon_threadsafe(_finish, batch)

    def _commit(self, batch: list[Write[Any]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for write in batch:
            write.make(self._connection)
        self._connection.execute("COMMIT")

    def _roll_back(self) -> None:
        """SQLite rolls back by itself after some errors, and then there is nothing to roll back."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _finish(batch: list[Write[Any]]) -> None:
    for write in batch:
        write.finish()


def _unavailable(failure: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"the database cannot do this now: {failure}")
