"""What workloads meet of a control plane: joining, registering, and being told what they are to do.

Put together apart from ``app``, which knows the rest.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from weft.compiler.resource import Resources
from weft.kit.errors import PeerError
from weft.pipeline import Pipeline
from weft.registry.rights import MayNot, Rights
from weft.store.source import StoreUnavailable
from weft.view.node import parse_node
from weft.xds.errors import NotReady, Refused
from weft.xds.introduction import Introduction


class Admission:
    """Lets proxies subscribe that say of themselves what their certificates allow."""

    def __init__(self, pipeline: Pipeline, rights: Rights) -> None:
        self._pipeline = pipeline
        self._rights = rights

    async def subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        """One proxy's resources, newest first, for ever. Raises ``Refused`` and ``NotReady``."""
        await self._require(introduction)
        async with aclosing(self._pipeline.subscribe(introduction)) as offers:
            async for resources in offers:
                yield resources

    async def _require(self, introduction: Introduction) -> None:
        """A proxy is given what is meant for the service that it says it is of (its label ``app``)."""
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
