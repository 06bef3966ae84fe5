"""Whether gateways answer an authority by now: as they themselves acknowledged."""

import asyncio

from weft.compiler.resource import ROUTES
from weft.kit.latest import Latest
from weft.model.document import Key
from weft.model.mesh import Mesh
from weft.xds.fleet import Fleet

_GRACE = 0.3
"""Seconds for gateways that are a moment behind, and for the workers of those that are not."""


class Placing:
    """Looks at what proxies were offered and took."""

    def __init__(self, latest: Latest[Mesh], fleet: Fleet) -> None:
        self._latest = latest
        self._fleet = fleet

    async def placed(self, keys: tuple[Key, ...]) -> bool:
        """Whether each of these challenges is answered by a gateway, and by every one that was offered it."""
        mesh = self._latest.value
        tokens = {one.key: one.token.encode() for one in mesh.challenges} if mesh is not None else {}
        if not all(key in tokens and self._taken(tokens[key]) for key in keys):
            return False
        await asyncio.sleep(_GRACE)
        return True

    def _taken(self, token: bytes) -> bool:
        offered = [proxy for proxy in self._fleet.proxies() if self._has(proxy.name, token)]
        return bool(offered) and all(proxy.synced for proxy in offered)

    def _has(self, name: str, token: bytes) -> bool:
        resources = self._fleet.resources(name)
        found = resources.resources if resources is not None else ()
        return any(token in one.body for one in found if one.type_url == ROUTES)
