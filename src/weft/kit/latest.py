"""A cell that holds one value and conflates.

A reader always gets the newest value and skips those it had no time for, so there is no queue that could overflow.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """One value, many readers; empty until the first ``set``."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def value(self) -> T | None:
        """The newest value, or ``None`` before the first."""
        return self._value

    def set(self, value: T) -> None:
        """Replace the value and wake every reader."""
        self._value = value
        self._version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def first(self) -> T:
        """The newest value, once there is one."""
        async for value in self:
            return value
        raise AssertionError("a Latest never ends")

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield the newest value, then each newer one that is there when the reader asks again."""
        seen = 0
        while True:
            changed = self._changed
            if self._version == seen:
                await changed.wait()
                continue
            seen = self._version
            value = self._value
            assert value is not None
            yield value
