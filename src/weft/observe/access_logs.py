"""Access logs that proxies stream (``envoy.service.accesslog.v3``): each log by its name goes to who asked for it.

A proxy says its node once, in a stream's first message; it is believed as far as its certificate goes.
"""

from collections.abc import Callable, Iterator, Mapping

from google.protobuf.message import DecodeError

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.observe.sinks import Receive, StreamSink

METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
_LONGEST_NAME = 512


class Malformed(PeerError):
    """A message that is not what its method takes."""


class Reporter(Value):
    """The proxy that tells: ``<workload>.<namespace>``, and who it is."""

    proxy: str
    identity: Identity


Entries = Callable[[Reporter, StreamAccessLogsMessage], None]
"""Takes the entries of one message, ``AT_ONCE`` at most of each kind."""
AT_ONCE = 100
"""Entries that are read before others have their turn; an Envoy sends some 40 in a message (16 KiB)."""


def access_log_sink(readers: Mapping[str, Entries]) -> StreamSink:
    """The method, with readers by the name of a log. Logs that nobody reads are taken and forgotten."""

    def opened(identity: Identity) -> Receive:
        return _Stream(identity, readers).receive

    return StreamSink(method=METHOD, opened=opened)


class _Stream:
    """One stream: who tells, and who reads."""

    def __init__(self, identity: Identity, readers: Mapping[str, Entries]) -> None:
        self._identity = identity
        self._readers = readers
        self._reporter: Reporter | None = None
        self._read: Entries | None = None

    def receive(self, content: bytes) -> Iterator[None] | None:
        message = _parsed(content)
        if self._reporter is None:
            self._reporter = reporter_of(self._identity, message.identifier.node.id)
            self._read = self._readers.get(message.identifier.log_name)
        if self._read is None:
            return None
        if max(len(message.http_logs.log_entry), len(message.tcp_logs.log_entry)) > AT_ONCE:
            return _in_parts(self._read, self._reporter, message)
        self._read(self._reporter, message)
        return None


def _in_parts(read: Entries, reporter: Reporter, message: StreamAccessLogsMessage) -> Iterator[None]:
    """Read a large message as if it were several."""
    requests, connections = message.http_logs.log_entry, message.tcp_logs.log_entry
    for begun in range(0, max(len(requests), len(connections)), AT_ONCE):
        part = StreamAccessLogsMessage()
        if some := requests[begun : begun + AT_ONCE]:
            part.http_logs.log_entry.extend(some)
        if others := connections[begun : begun + AT_ONCE]:
            part.tcp_logs.log_entry.extend(others)
        read(reporter, part)
        yield


def reporter_of(identity: Identity, node_id: str) -> Reporter:
    """A proxy by the name that it gives itself, which is of the namespace of its certificate. Raises ``Malformed``."""
    workload, _, namespace = node_id.rpartition(".")
    if not workload or len(node_id) > _LONGEST_NAME:
        raise Malformed("the first message of a stream needs the node of a proxy, <workload>.<namespace>")
    if namespace != identity.namespace:
        raise Malformed(f"the node {node_id} is not of the namespace of {identity}")
    return Reporter(proxy=node_id, identity=identity)


def _parsed(content: bytes) -> StreamAccessLogsMessage:
    try:
        return StreamAccessLogsMessage.FromString(content)
    except DecodeError as wrong:
        raise Malformed(f"this is no message of an access log: {wrong}") from wrong
