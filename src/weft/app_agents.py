"""What workloads meet of a control plane: joining, registering, and being told what they are to do.

Put together apart from ``app``, which knows the rest.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from starlette.types import ASGIApp

from weft.api.https import HttpsServer
from weft.attesting.attestors import listening_locally, local_config
from weft.attesting.choice import Local
from weft.ca.barred import REVOKED
from weft.ca.revocations import Revocations
from weft.compiler.resource import Resources
from weft.kit.errors import PeerError
from weft.kit.tasks import tasks
from weft.model.identity import Identity
from weft.pipeline import Pipeline
from weft.registry.rights import MayNot, Rights
from weft.store.source import StoreUnavailable
from weft.view.node import parse_node
from weft.xds.errors import NotReady, Refused
from weft.xds.introduction import Introduction, Unauthenticated, certificate_of, identity_of


@asynccontextmanager
async def local_server(chosen: Local | None, app: ASGIApp) -> AsyncIterator[None]:
    """The agents' routes on a Unix socket, for the block. Raises ``UserError``."""
    if chosen is None:
        yield
        return
    with listening_locally(chosen.socket) as listener:
        server = HttpsServer(local_config(app), listener)
        async with tasks() as group:
            running = group.start(server.run_until_stopped(), "local processes")
            await server.wait_started()
            try:
                yield
            finally:
                server.stop()
                await running


class Admission:
    """Lets proxies subscribe that say of themselves what their certificates allow, as long as these count."""

    def __init__(self, pipeline: Pipeline, rights: Rights, revocations: Revocations) -> None:
        self._pipeline = pipeline
        self._rights = rights
        self._revocations = revocations

    def identify(self, auth: Mapping[str, Sequence[bytes]]) -> Identity:
        """Who is at the other end of a gRPC call. Raises ``Unauthenticated``."""
        identity = identity_of(auth)
        if self._revocations.news.value and self._revocations.bars(identity, certificate_of(auth)):
            raise Unauthenticated(REVOKED)
        return identity

    async def until_barred(self, introduction: Introduction) -> str:
        """Wait until a proxy's certificate is revoked, and say so."""
        async for _ in self._revocations.news:
            if self._revocations.bars(introduction.identity, introduction.certificate):
                break
        return REVOKED

    async def subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        """One proxy's resources, newest first, for ever. Raises ``Refused`` and ``NotReady``."""
        await self._require(introduction)
        async with aclosing(self._pipeline.subscribe(introduction)) as offers:
            async for resources in offers:
                yield resources

    async def _require(self, introduction: Introduction) -> None:
        """A proxy is given what is meant for the service that it says it is of (its label ``app``)."""
        if self._revocations.bars(introduction.identity, introduction.certificate):
            raise Refused(REVOKED)
        try:
            node = parse_node(introduction.identity, introduction.node_id, introduction.metadata)
            service = dict(node.labels).get("app")
            if service is not None:
                await self._rights.require_service(service, node.identity)
        except StoreUnavailable as away:
            raise NotReady("the control plane cannot read who may serve what") from away
        except MayNot as refused:
            raise Refused(f"{refused}: {refused.help}") from refused
        except PeerError as wrong:
            raise Refused(str(wrong)) from wrong
