"""Room for what workloads create by registering: the same quotas that hold for what people create."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from weft.api.errors import ApiError
from weft.api.quotas import Quotas, Wanted
from weft.api.resources import Resource
from weft.dialects.kinds import Kind
from weft.model.document import Key

Room = Callable[[tuple[Key, ...]], AbstractAsyncContextManager[None]]


def room_by_quotas(quotas: Quotas, kinds: tuple[Kind, ...], refusal: type[Exception]) -> Room:
    """Room for some objects of one namespace; ``refusal`` is raised where a quota has none."""
    resources = {(kind.group, kind.kind): Resource(kind=kind) for kind in kinds}

    @asynccontextmanager
    async def room(keys: tuple[Key, ...]) -> AsyncIterator[None]:
        if not keys:
            yield
            return
        wanted = [Wanted(resource=resources[key.group, key.kind], name=key.name) for key in keys]
        try:
            async with quotas.room_for(keys[0].namespace, *wanted):
                yield
        except ApiError as full:
            raise refusal(full.message) from full

    return room
