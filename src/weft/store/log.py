"""The log of changes and its fan-out: every watcher reads at its own place, so there is no queue that could overflow.

A store keeps the newest changes here; where it keeps older ones too (in a table), it hands in how to read them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from weft.store.source import Change, Compacted

KEPT_CHANGES = 10_000
_TRIM_AT = 1_000
_PAGE = 500

Older = Callable[[int, int], Awaitable[Sequence[Change]]]
"""Read at most so many (second) of the changes after a revision (first); raises ``Compacted``."""


class ChangeLog:
    """The newest ``capacity`` changes (a little more between trims), their revisions without a gap."""

    def __init__(self, revision: int = 0, capacity: int = KEPT_CHANGES, older: Older | None = None) -> None:
        self._newest = revision
        self._capacity = capacity
        self._older = older
        self._changes: list[Change] = []
        self._grown = asyncio.Event()

    @property
    def revision(self) -> int:
        """The revision of the newest change."""
        return self._newest

    def append(self, changes: Sequence[Change]) -> None:
        """Add the next changes and wake every watcher."""
        if not changes:
            return
        self._changes.extend(changes)
        self._newest = changes[-1].document.revision
        if len(self._changes) > self._capacity + _TRIM_AT:
            del self._changes[: -self._capacity]
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def after(self, since: int) -> AsyncIterator[Change]:
        """Every change after ``since``, then each new one; never ends. Raises ``Compacted``.

        A revision that lies in the future is one of a store that is gone: ``Compacted`` too.
        """
        if since > self._newest:
            raise Compacted(f"revision {since} is not known here, the newest is {self._newest}")
        while True:
            grown = self._grown
            page = await self._page(since)
            for change in page:
                since = change.document.revision
                yield change
            if not page:
                await grown.wait()

    async def _page(self, since: int) -> Sequence[Change]:
        oldest = self._newest - len(self._changes)
        if since >= oldest:
            return self._changes[since - oldest : since - oldest + _PAGE]
        if self._older is None:
            raise Compacted(f"changes after revision {since} are no longer kept")
        return await self._older(since, _PAGE)
