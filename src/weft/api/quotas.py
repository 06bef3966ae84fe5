"""How many objects a namespace may hold: Kubernetes' ResourceQuotas, counted when an object is created.

Only what the API creates is refused: a workload that registers is not turned away by what its namespace holds, but is
counted. See "Resource Quotas" in the Kubernetes documentation, "Object count quota".
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


class Quotas:
    """Keeps namespaces within their limits; those without a ResourceQuota pay one look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks: dict[str, asyncio.Lock] = {}
        """Of namespaces with limits, so that many who create at once do not all see the last free place."""

    @asynccontextmanager
    async def room_for(self, resource: Resource, namespace: str, name: str) -> AsyncIterator[None]:
        """Room for one more object, held until it is stored. Raises ``ApiError`` 403."""
        if not namespace or not _limits(await self._store.snapshot(), resource, namespace):
            yield
            return
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            snapshot = await self._store.snapshot()
            used = _count(snapshot, resource, namespace)
            for quota in _limits(snapshot, resource, namespace):
                if used + 1 > quota.hard:
                    raise _exceeded(resource, name, quota, used)
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
