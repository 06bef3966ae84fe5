"""What an agent is told before it starts its proxy: documents that are read once, answered from the newest mesh."""

from weft.compiler.patches.bootstrap import patched_bootstrap
from weft.kit.errors import PeerError
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.extension import Context
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.registry.start import Asked
from weft.view.node import parse_node
from weft.view.start import start_of


class Told(Value):
    """Worker threads, the bootstrap where it is another one, and what of the patches was left out, in words."""

    concurrency: int | None = None
    bootstrap: bytes | None = None
    left_out: tuple[str, ...] = ()


class Starter:
    """Answers agents."""

    def __init__(self, latest: Latest[Mesh]) -> None:
        self._latest = latest

    async def answer(self, identity: Identity, asked: Asked) -> Told:
        """What holds for a proxy. Raises ``PeerError`` when it is not the caller's."""
        mesh = await self._latest.first()
        node = parse_node(identity, asked.node_id, asked.metadata)
        start = start_of(mesh, node)
        if not start.patches:
            return Told(concurrency=start.concurrency)
        context = Context.GATEWAY if node.gateway is not None else Context.SIDECAR_OUTBOUND
        try:
            patched = patched_bootstrap(asked.bootstrap.encode(), start.patches, context)
        except ValueError as wrong:
            raise PeerError(str(wrong)) from wrong
        left = tuple(f"{one.document}: {one.message}" for one in patched.findings)
        return Told(concurrency=start.concurrency, bootstrap=patched.content, left_out=left)
