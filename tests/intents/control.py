"""A control plane for real Envoys in a thread of its own: weft's xDS server with offers that a test sets, and an SDS
server in the place of the agents."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc

from tests.xds.certificates import Root
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from weft.agent.file_secrets import is_of_files, secret_of_files
from weft.compiler.resource import SECRET, Resources
from weft.kit.latest import Latest
from weft.xds.fleet import Fleet
from weft.xds.introduction import Introduction
from weft.xds.server import XdsConfig, XdsServer, serve_xds

_T = TypeVar("_T")
_SYNC = 20.0
_STREAM_SECRETS = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"


class Control:
    """Both servers. ``uris`` are the identities by node id; paths that secrets name are below ``host``;
    ``others`` are handlers beside xDS."""

    def __init__(
        self, root: Root, uris: Mapping[str, str], socket: Path, host: Path, others: Sequence[Any] = ()
    ) -> None:
        self._others = others
        self.root = root
        self.fleet = Fleet()
        self._uris = uris
        self._socket = socket
        self._host = host
        self._cells: dict[str, Latest[Resources]] = defaultdict(Latest)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._xds: XdsServer
        self._sds: grpc.aio.Server

    def start(self) -> int:
        """Serve; the port of the xDS server."""
        self._thread.start()
        self._run(self._start())
        return self._xds.port

    def stop(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def offer(self, offers: Mapping[str, Resources]) -> None:
        """Set what nodes are due, and return once all those connected use it. Fails when one refuses."""
        self._run(self._offer(offers, wait=True))

    def prepare(self, offers: Mapping[str, Resources]) -> None:
        """Set what nodes are due that have not started."""
        self._run(self._offer(offers, wait=False))

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SYNC + 10)

    async def _start(self) -> None:
        material = self.root.server()
        self._xds = await serve_xds(
            config=XdsConfig(), subscribe=self._subscribe, fleet=self.fleet, tls=lambda: material, others=self._others
        )
        self._sds = grpc.aio.server()
        self._sds.add_generic_rpc_handlers((_Sds(self.root, self._uris, self._host),))
        self._sds.add_insecure_port(f"unix:{self._socket}")
        await self._sds.start()

    async def _stop(self) -> None:
        await self._xds.stop()
        await self._sds.stop(None)

    async def _subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        async for resources in self._cells[introduction.node_id]:
            yield resources

    async def _offer(self, offers: Mapping[str, Resources], *, wait: bool) -> None:
        for node, resources in offers.items():
            if self._cells[node].value != resources:
                self._cells[node].set(resources)
        if wait:
            async with asyncio.timeout(_SYNC):
                while not all(self._uses(*offer) for offer in offers.items()):  # noqa: ASYNC110  no event tells
                    await asyncio.sleep(0.005)

    def _uses(self, node: str, resources: Resources) -> bool:
        status = next((one for one in self.fleet.proxies() if one.name == node), None)
        if status is None or self.fleet.resources(node) != resources:
            return False
        errors = [one.error for one in status.types if one.error]
        assert not errors, errors
        return status.synced


class _Sds(grpc.GenericRpcHandler):
    """Each node's certificate, the root of trust, and what an agent makes of files on its host."""

    def __init__(self, root: Root, uris: Mapping[str, str], host: Path) -> None:
        self._host = host
        self._secrets = {node: _secrets(root, uri) for node, uri in uris.items()}

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != _STREAM_SECRETS:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self._stream, DiscoveryRequest.FromString, DiscoveryResponse.SerializeToString
        )

    async def _stream(self, requests: AsyncIterator[DiscoveryRequest], _: Any) -> AsyncIterator[DiscoveryResponse]:
        node = ""
        async for request in requests:
            node = request.node.id or node
            if not request.response_nonce:
                response = DiscoveryResponse(type_url=SECRET, version_info="1", nonce="1")
                for name in request.resource_names:
                    secret = self._of_files(name) if is_of_files(name) else self._secrets[node][name]
                    if secret is not None:
                        response.resources.add().Pack(secret)
                if response.resources:
                    yield response

    def _of_files(self, name: str) -> Secret | None:
        secret = secret_of_files(name.replace(":/", f":{self._host}/").replace("~/", f"~{self._host}/"))
        if secret is not None:
            secret.name = name
        return secret


def _secrets(root: Root, uri: str) -> dict[str, Secret]:
    key, chain = root.workload(uri)
    certificate, bundle = Secret(name="default"), Secret(name="ROOTCA")
    certificate.tls_certificate.private_key.inline_bytes = key
    certificate.tls_certificate.certificate_chain.inline_bytes = chain
    bundle.validation_context.trusted_ca.inline_bytes = root.pem
    return {"default": certificate, "ROOTCA": bundle}
