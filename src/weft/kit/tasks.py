"""Groups of tasks: every task has an owner that waits for it, and none outlives its owner.

A bare ``asyncio.create_task`` is banned elsewhere (its exception is lost and nobody ends it).
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Tasks:
    """Tasks that end with their group."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run ``work`` beside the owner; its failure ends the whole group."""
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def cancel(self) -> None:
        """Ask every running task to end."""
        for task in list(self._running):
            task.cancel()


@asynccontextmanager
async def tasks() -> AsyncIterator[Tasks]:
    """A group whose tasks are cancelled when the block is left and whose failures propagate."""
    async with asyncio.TaskGroup() as group:
        owned = Tasks(group)
        try:
            yield owned
        finally:
            owned.cancel()
