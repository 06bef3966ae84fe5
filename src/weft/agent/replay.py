"""Stands in for a control plane that is away: answers the proxy from what it took last, on a Unix socket.

The incremental protocol with the very versions that the control plane gave: when that is back, the proxy says what it
has, and is sent what is different.

There are no keys here. Nothing is answered about them: a proxy that starts does without after a while, and one that has
some keeps them.
"""

from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import DecodeError

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.agent.grpc_server import GrpcServer, Handler, Stream
from weft.kit.errors import PeerError

_METHOD = b"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_LISTED = frozenset(
    f"type.googleapis.com/envoy.config.{name}" for name in ("cluster.v3.Cluster", "listener.v3.Listener")
)
"""Types of which a proxy wants all."""
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_MOST = 3 * 2**20


def lacking(body: bytes) -> tuple[str, ...]:
    """The names of the keys that belong to what is kept, and are not kept with it."""
    try:
        return tuple(DeltaDiscoveryResponse.FromString(body).removed_resources)
    except DecodeError:
        return ()


async def replay(path: Path, body: Callable[[], bytes]) -> None:
    """Answer until cancelled, then hang up."""
    await GrpcServer({_METHOD: lambda stream: _Replay(stream, body())}).run(path)


class _Replay:
    """One stream."""

    def __init__(self, stream: Stream, body: bytes) -> None:
        self._stream = stream
        self._resources = {
            (one.resource.type_url, one.name): one for one in DeltaDiscoveryResponse.FromString(body).resources
        }
        self._asked: set[str] = set()
        self._nonce = 0

    def receive(self, message: bytes) -> None:
        """A question, or what the proxy thinks of an answer."""
        try:
            request = DeltaDiscoveryRequest.FromString(message)
        except DecodeError as malformed:
            raise PeerError("not a discovery request") from malformed
        first = request.type_url not in self._asked
        self._asked.add(request.type_url)
        wanted = list(request.resource_names_subscribe)
        if first and request.type_url in _LISTED and not wanted:
            wanted = [name for kind, name in self._resources if kind == request.type_url]
        if first or wanted:
            self._answer(request.type_url, wanted, dict(request.initial_resource_versions))

    def ended(self) -> None:
        """Nothing more is asked."""
        self._stream.finish()

    def closed(self) -> None:
        """The stream is over."""

    def _answer(self, type_url: str, names: list[str], known: dict[str, str]) -> None:
        """What is wanted and not known, in answers that fit; what there is none of is said to be gone."""
        found = [self._resources[type_url, name] for name in names if (type_url, name) in self._resources]
        if type_url == _SECRET and not found:
            return
        answer = DeltaDiscoveryResponse(type_url=type_url)
        if type_url != _SECRET:
            answer.removed_resources.extend(name for name in names if (type_url, name) not in self._resources)
        size = 0
        for one in found:
            if known.get(one.name) == one.version:
                continue
            if size > _MOST:
                self._send(answer)
                answer, size = DeltaDiscoveryResponse(type_url=type_url), 0
            answer.resources.append(one)
            size += one.ByteSize()
        self._send(answer)

    def _send(self, answer: DeltaDiscoveryResponse) -> None:
        self._nonce += 1
        answer.nonce = str(self._nonce)
        self._stream.send(answer.SerializeToString())


_: Callable[[Stream, bytes], Handler] = _Replay
