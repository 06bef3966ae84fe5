"""The names that each workload's resolver answers, from the newest mesh; equal ones are written once."""

import hashlib
from collections.abc import AsyncGenerator

import msgspec

from weft.kit.latest import Latest
from weft.kit.memo import memo
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.registry.names import Table, Wanted
from weft.view.named import Names
from weft.view.names import names_of
from weft.view.node import parse_node


class Naming:
    """Tells agents what their workloads can look up."""

    def __init__(self, latest: Latest[Mesh]) -> None:
        self._latest = latest

    async def tables(self, identity: Identity, wanted: Wanted) -> AsyncGenerator[Table, None]:
        """A workload's table, and each newer one. Raises ``PeerError`` when it is not the caller's."""
        node = parse_node(identity, wanted.node_id, wanted.metadata)
        async for mesh in self._latest:
            yield _table(names_of(mesh, node))


@memo(1024)
def _table(names: Names) -> Table:
    body = msgspec.json.encode(names)
    return Table(digest=hashlib.sha256(body).hexdigest()[:32], body=body)
