"""The registry: what a caller may register, written with as few writes as possible."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.model.document import Document, Key, Snapshot
from weft.model.identity import Identity
from weft.registry.documents import account_of, entry_key, entry_of, is_registered, service_key, service_of
from weft.registry.group import Group, check_fits, group_key, group_of
from weft.registry.leases import LEASE_SECONDS, REAP_INTERVAL, Leases
from weft.registry.registration import Registration, check_name

_ATTEMPTS = 4


class Documents(Protocol):
    """The part of a store that the registry needs; a conflict is any ``WeftError``."""

    async def snapshot(self) -> Snapshot:
        """Every document."""
        ...

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...

    async def create(self, document: Document) -> Document:
        """Store a new document."""
        ...

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a document."""
        ...

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document."""
        ...


class NotYours(WeftError):
    """The entry of that name belongs to another account or to a user."""


class NoRoom(WeftError):
    """The caller's namespace holds as many objects as it may."""


Room = Callable[[tuple[Key, ...]], AbstractAsyncContextManager[None]]
"""Room for new objects of one namespace, held until they are stored. Raises ``NoRoom``."""


def _endless(_: tuple[Key, ...]) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Registry:
    """Workloads by lease. The namespace and account of an entry are always the caller's own."""

    def __init__(
        self, store: Documents, clock: Clock, room: Room = _endless, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._store = store
        self._room = room
        self._clock = clock
        self._leases = Leases(clock, lease_seconds)

    @property
    def lease_seconds(self) -> float:
        """How long a workload may be silent."""
        return self._leases.seconds

    async def recover(self) -> None:
        """Give everybody who is registered a whole lease: a control plane that was away heard no heartbeat."""
        for document in (await self._store.snapshot()).documents:
            if document.key.kind == "WorkloadEntry" and is_registered(document):
                self._leases.renew(document.key)

    async def register(self, name: str, said: Registration, caller: Identity) -> None:
        """Write what changed and renew the lease. Raises ``BadRegistration``, ``BadGroup``, ``NotYours``, ``NoRoom`` or
        the store's errors."""
        check_name(name)
        group = await self.group(said.group, caller) if said.group else None
        if group is not None:
            check_fits(group, said, caller.account)
        async with self._room(await self._missing(name, said, caller.namespace)):
            await self._settle(lambda: self._write_entry(name, said, caller, group))
            await self._settle(lambda: self._write_service(said, caller.namespace))
        self._leases.renew(entry_key(caller.namespace, name))

    async def group(self, name: str, caller: Identity) -> Group:
        """A group of the caller's namespace. Raises ``BadGroup`` when there is none."""
        check_name(name)
        return group_of(await self._store.read(group_key(caller.namespace, name)), name)

    async def deregister(self, name: str, caller: Identity) -> None:
        """Remove the caller's entry; it is no error when there is none."""
        check_name(name)
        key = entry_key(caller.namespace, name)

        async def remove() -> None:
            stored = await self._owned(key, caller)
            if stored is not None:
                await self._store.delete(key, stored.revision)

        await self._settle(remove)
        self._leases.end(key)

    async def evict(self, namespace: str, account: str, name: str = "") -> None:
        """Remove the entries of an account, or of one workload of it."""
        for document in (await self._store.snapshot()).documents:
            key = document.key
            if key.kind != "WorkloadEntry" or key.namespace != namespace or name not in ("", key.name):
                continue
            if is_registered(document) and account_of(document) == account:
                await self._store.delete(key, None)
                self._leases.end(key)

    async def reap(self) -> tuple[Key, ...]:
        """Remove the entries whose lease has ended, and tell which."""
        expired = self._leases.expired()
        for key in expired:
            stored = await self._store.read(key)
            if stored is not None and is_registered(stored):
                await self._store.delete(key, stored.revision)
            self._leases.end(key)
        return expired

    async def run(self) -> None:
        """Reap for ever; a store that cannot write now is asked again at the next turn."""
        while True:
            await asyncio.sleep(REAP_INTERVAL)
            try:
                await self.reap()
            except WeftError:
                continue

    async def _missing(self, name: str, said: Registration, namespace: str) -> tuple[Key, ...]:
        """What a registration would create."""
        wanted = [entry_key(namespace, name), *([service_key(namespace, said.service)] if said.ports else [])]
        return tuple([key for key in wanted if await self._store.read(key) is None])

    async def _write_entry(self, name: str, said: Registration, caller: Identity, group: Group | None) -> None:
        stored = await self._owned(entry_key(caller.namespace, name), caller)
        await self._put(entry_of(said, name, caller, stored, self._clock.now(), group), stored)

    async def _write_service(self, said: Registration, namespace: str) -> None:
        stored = await self._store.read(service_key(namespace, said.service))
        wanted = service_of(said, namespace, stored, self._clock.now())
        if wanted is not None:
            await self._put(wanted, stored)

    async def _owned(self, key: Key, caller: Identity) -> Document | None:
        stored = await self._store.read(key)
        if stored is not None and (not is_registered(stored) or account_of(stored) != caller.account):
            raise NotYours(f"{key} belongs to somebody else")
        return stored

    async def _put(self, document: Document, stored: Document | None) -> None:
        if stored is None:
            await self._store.create(document)
        elif document is not stored:
            await self._store.replace(document, stored.revision)

    async def _settle(self, step: "Step") -> None:
        """Do a read and write again when somebody else wrote in between."""
        for attempt in range(_ATTEMPTS):
            try:
                await step()
                return
            except NotYours:
                raise
            except WeftError:
                if attempt == _ATTEMPTS - 1:
                    raise


class Step(Protocol):
    """A read and the write that follows from it."""

    async def __call__(self) -> None:
        """Do both."""
        ...
