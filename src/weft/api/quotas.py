"""How many objects a namespace may hold: Kubernetes' ResourceQuotas, counted when an object is created.

Workloads that register create objects too: a new one is refused like any other, one that is there goes on, whatever
its namespace holds. See "Resource Quotas" in the Kubernetes documentation, "Object count quota".
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from weft.api.errors import ApiError, Json, forbidden, named, qualified
from weft.api.resources import Resource
from weft.kit.value import Value
from weft.model.document import Document, Snapshot
from weft.store.source import Store

_decode = msgspec.json.Decoder().decode
_COUNT = "count/"


class Quota(Value):
    """One limit of one ResourceQuota: ``resource`` as Kubernetes writes it, ``virtualservices.networking.istio.io``."""

    name: str
    key: str
    resource: str
    hard: int


class Wanted(Value):
    """An object that is to be created."""

    resource: Resource
    name: str


class Quotas:
    """Keeps namespaces within their limits; those without a ResourceQuota pay one look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks: dict[str, asyncio.Lock] = {}
        """Of namespaces with limits, so that many who create at once do not all see the last free place."""

    @asynccontextmanager
    async def room_for(self, namespace: str, *wanted: Wanted) -> AsyncIterator[None]:
        """Room for more objects, held until they are stored. Raises ``ApiError`` 403."""
        snapshot = await self._store.snapshot()
        if not namespace or not any(_limits(snapshot, one.resource, namespace) for one in wanted):
            yield
            return
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            snapshot = await self._store.snapshot()
            for one in wanted:
                _require(snapshot, namespace, one)
            yield

    async def told(self, resources: tuple[Resource, ...], document: Document) -> Document:
        """A ResourceQuota with what is used of it now, as its status; any other document as it is."""
        if not is_quota(document):
            return document
        snapshot = await self._store.snapshot()
        content = _decode(document.content)
        hard = {key: str(amount) for key, amount in content.get("spec", {}).get("hard", {}).items()}
        by_name = {_resource_name(one): one for one in resources}
        used = {
            key: str(_count(snapshot, by_name[name], document.key.namespace))
            for key in hard
            if (name := key.removeprefix(_COUNT)) in by_name
        }
        status = {"hard": {key: amount for key, amount in hard.items() if key in used}, "used": used}
        return replace(document, content=msgspec.json.encode(content | {"status": status}))


def is_quota(document: Document) -> bool:
    """Whether a document is a ResourceQuota."""
    return document.key.kind == "ResourceQuota" and not document.key.group


def _require(snapshot: Snapshot, namespace: str, wanted: Wanted) -> None:
    used = _count(snapshot, wanted.resource, namespace)
    for quota in _limits(snapshot, wanted.resource, namespace):
        if used + 1 > quota.hard:
            raise _exceeded(wanted.resource, wanted.name, quota, used)


def _limits(snapshot: Snapshot, resource: Resource, namespace: str) -> list[Quota]:
    """The limits of a namespace on a resource."""
    wanted = _resource_name(resource)
    return [
        quota
        for document in snapshot.documents
        if is_quota(document) and document.key.namespace == namespace
        for quota in _quotas(document.key.name, _decode(document.content))
        if quota.resource == wanted
    ]


def _quotas(name: str, content: Json) -> list[Quota]:
    hard: dict[str, Any] = content.get("spec", {}).get("hard", {})
    return [
        Quota(name=name, key=key, resource=key.removeprefix(_COUNT), hard=int(amount))
        for key, amount in hard.items()
        if str(amount).isdecimal()
    ]


def _resource_name(resource: Resource) -> str:
    return qualified(resource.kind.plural, resource.kind.group)


def _count(snapshot: Snapshot, resource: Resource, namespace: str) -> int:
    return sum(document.key.namespace == namespace and resource.holds(document.key) for document in snapshot.documents)


def _exceeded(resource: Resource, name: str, quota: Quota, used: int) -> ApiError:
    """Kubernetes' own words."""
    kind = resource.kind
    numbers = f"requested: {quota.key}=1, used: {quota.key}={used}, limited: {quota.key}={quota.hard}"
    message = f'{_resource_name(resource)} "{name}" is forbidden: exceeded quota: {quota.name}, {numbers}'
    return forbidden(message, named(kind.plural, kind.group, name))
