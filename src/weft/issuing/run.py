"""Every certificate that the mesh asks for has a task that keeps it: it waits until it is due, obtains it, and waits.

One that fails waits longer and longer and disturbs no other. What is asked for is part of the mesh, so a document that
changes or goes takes its task with it.
"""

import asyncio
import random
from contextlib import suppress

import structlog

from weft.dialects.kubernetes.credentials import stored_credential
from weft.issuing.documents import MANAGED_BY
from weft.issuing.errors import Unissued
from weft.issuing.keeper import Keeper
from weft.issuing.schedule import Pace, due_at, pause_after
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.tasks import Tasks, tasks
from weft.model.document import Key
from weft.model.issuing import Issuance
from weft.model.mesh import Mesh
from weft.store.source import Conflict, Store, StoreUnavailable

_log = structlog.get_logger()
_AT_ONCE = 4


class Issuing:
    """Keeps the certificates of every newest mesh of ``latest``."""

    def __init__(
        self, store: Store, latest: Latest[Mesh], keeper: Keeper, clock: Clock, chance: random.Random, pace: Pace
    ) -> None:
        self._store = store
        self._latest = latest
        self._keeper = keeper
        self._clock = clock
        self._chance = chance
        self._pace = pace
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._running: dict[Key, tuple[Issuance, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep certificates until cancelled."""
        await self._latest.first()
        await self._clean()
        async with tasks() as group:
            async for mesh in self._latest:
                self._follow(group, {one.order.secret: one for one in mesh.issuances})
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    async def _clean(self) -> None:
        """Proofs that an earlier run left behind prove nothing any more."""
        for document in (await self._store.snapshot()).documents:
            if document.key.kind == "Challenge" and MANAGED_BY in document.labels:
                with suppress(Conflict, StoreUnavailable):
                    await self._store.delete(document.key, document.revision)

    def _follow(self, group: Tasks, wanted: dict[Key, Issuance]) -> None:
        for key, (issuance, task) in list(self._running.items()):
            if _without_status(wanted.get(key)) != _without_status(issuance):
                task.cancel()
                del self._running[key]
        for key, issuance in wanted.items():
            if key not in self._running:
                task = group.start(self._keep(issuance), f"certificate {key}")
                self._running[key] = (issuance, task)

    async def _keep(self, issuance: Issuance) -> None:
        failures = 0
        while True:
            try:
                due, ends = await self._look(issuance)
                if self._clock.now() < due:
                    await self._wait(due - self._clock.now())
                    continue
                async with self._turns:
                    await self._keeper.obtain(issuance)
                _, ends = await self._look(issuance)
                failures = 0
                await self._keeper.tell(issuance, "", ends=ends)
            except (Unissued, StoreUnavailable) as wrong:
                failures += 1
                await self._failed(issuance, str(wrong), failures)

    async def _look(self, issuance: Issuance) -> tuple[float, int | None]:
        """When the certificate is due, and when the one that is there ends."""
        secret = await self._store.read(issuance.order.secret)
        facts = stored_credential(secret) if secret is not None else None
        return due_at(issuance, secret, facts), facts.not_after if facts is not None else None

    async def _failed(self, issuance: Issuance, reason: str, failures: int) -> None:
        pause = pause_after(failures, self._pace, self._chance.random())
        _log.warning("a certificate was not obtained", secret=str(issuance.order.secret), reason=reason, again_in=pause)
        with suppress(Unissued, StoreUnavailable):
            _, ends = await self._look(issuance)
            good = ends if ends is not None and ends > self._clock.now() else None
            await self._keeper.tell(issuance, reason, ends=good)
        await asyncio.sleep(pause)

    async def _wait(self, seconds: float) -> None:
        """Until then, or until the mesh changes: the Secret may be gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._pace.look)):
                await self._changed.wait()


def _without_status(issuance: Issuance | None) -> object:
    """What the task is about: that it was told to have failed is no reason to begin anew."""
    if issuance is None:
        return None
    order = issuance.order
    fields = tuple(getattr(order, name) for name in order.__struct_fields__ if name != "failed")
    return (fields, issuance.issuer)
