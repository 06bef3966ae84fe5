"""Entries of the logs of live requests as exchanges; the compiler puts these logs into proxies."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import StringValue
from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.address_pb2 import Address
from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import (
    AccessLogCommon,
    AccessLogType,
    HTTPAccessLogEntry,
    TCPAccessLogEntry,
)
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.value import Value
from weft.model.reporting import NOBODY, parse_peer
from weft.model.tap import CONTENT, CONTENTS, MARK, Content, End, Exchange, Message, Side
from weft.observe.access_logs import Reporter
from weft.observe.decisions import Decision, decisions_of

_PROTOCOLS = {0: "", 1: "HTTP/1.0", 2: "HTTP/1.1", 3: "HTTP/2", 4: "HTTP/3"}
_TRACE_DIGITS = 32
_LONGEST = 4096
_ABSENT = ("", "-")
_NUMBER = re.compile(r"[0-9]{1,9}")
_MOST_LOST = 1e9


class Entry(Value):
    """An exchange, and the numbers of those who may want it; a connection has none, so all of them may."""

    exchange: Exchange
    watchers: frozenset[int] | None = None


def entries_of(side: Side, reporter: Reporter, message: StreamAccessLogsMessage) -> Iterator[Entry]:
    """What a message of one of the logs tells."""
    for request in message.http_logs.log_entry:
        yield _request(side, reporter, request)
    for connection in message.tcp_logs.log_entry:
        yield Entry(exchange=_connection(side, reporter, connection))


def _request(side: Side, reporter: Reporter, entry: HTTPAccessLogEntry) -> Entry:
    common, asked, answer = entry.common_properties, entry.request, entry.response
    mark, content = _notes(common, MARK), _content(common)
    seen = replace(
        _seen(side, reporter, common),
        protocol=_PROTOCOLS.get(entry.protocol_version, ""),
        method=RequestMethod.Name(asked.request_method) if asked.request_method else "GET",
        scheme=asked.scheme[:16],
        authority=asked.authority[:_LONGEST],
        path=(asked.original_path or asked.path)[:_LONGEST],
        status=answer.response_code.value,
        grpc=_said(common, "grpc"),
        detail=answer.response_code_details[:_LONGEST],
        verdicts=_verdicts(reporter, StreamAccessLogsMessage.HTTPAccessLogEntries(log_entry=[entry])),
        request_id=asked.request_id[:128],
        trace_id=_trace(common),
        request=_message(content, "request", asked.request_body_bytes),
        response=_message(content, "response", answer.response_body_bytes),
        lost=_count(mark.get("lost")),
    )
    numbers = str(_at(mark, "watchers"))[:_LONGEST].split()
    return Entry(exchange=seen, watchers=frozenset(int(one) for one in numbers if _NUMBER.fullmatch(one)))


def _connection(side: Side, reporter: Reporter, entry: TCPAccessLogEntry) -> Exchange:
    common, bytes_ = entry.common_properties, entry.connection_properties
    began = common.access_log_type == AccessLogType.TcpUpstreamConnected
    return replace(
        _seen(side, reporter, common),
        phase="opened" if began else "closed",
        protocol="TCP",
        detail=common.connection_termination_details[:_LONGEST],
        request=Message(size=bytes_.received_bytes),
        response=Message(size=bytes_.sent_bytes),
    )


def _seen(side: Side, reporter: Reporter, common: AccessLogCommon) -> Exchange:
    """What requests and connections have in common."""
    own = _own(reporter)
    other, identity = parse_peer(_said(common, "peer")), _other_identity(side, common)
    told = End() if other is NOBODY else End(workload=other.workload, namespace=other.namespace, service=other.service)
    source_address = _address(common.downstream_direct_remote_address)
    other_end = replace(told, identity=identity)
    source, destination = (other_end, own) if side is Side.IN else (own, other_end)
    at = common.start_time
    return Exchange(
        at=at.seconds + at.nanos / 1e9,
        proxy=reporter.proxy,
        side=side,
        source=replace(source, address=source_address),
        destination=replace(destination, address=_address(common.upstream_remote_address)),
        service=_said(common, "service").rpartition("|")[2],
        flags=tuple(_said(common, "flags").split(",")) if _said(common, "flags") else (),
        duration=_milliseconds(common.duration),
        route=common.route_name[:_LONGEST],
        attempts=common.upstream_request_attempt_count,
        mutual=bool(identity),
        tls=_said(common, "tls"),
    )


def _own(reporter: Reporter) -> End:
    workload, _, namespace = reporter.proxy.rpartition(".")
    return End(workload=workload, namespace=namespace, identity=reporter.identity.uri)


def _other_identity(side: Side, common: AccessLogCommon) -> str:
    """The SPIFFE ID of the other side, of which only a certificate is proof."""
    if side is Side.OUT:
        return _said(common, "principal")
    names = common.tls_properties.peer_certificate_properties.subject_alt_name
    return next((name.uri for name in names if name.uri), "")[:_LONGEST]


def _verdicts(reporter: Reporter, entries: StreamAccessLogsMessage.HTTPAccessLogEntries) -> tuple[str, ...]:
    found = decisions_of(reporter, StreamAccessLogsMessage(http_logs=entries))
    return tuple(dict.fromkeys(_verdict(one) for one in found))


def _verdict(decision: Decision) -> str:
    """A policy's action and name: ``DENY shop/closed``, with what a dry run is said to be."""
    dry = " (dry run)" if decision.dry_run else ""
    return f"{decision.action} {decision.policy or 'no policy allows it'}{dry}"


def _content(common: AccessLogCommon) -> dict[str, str]:
    """What the script kept of headers and bodies."""
    found: dict[str, str] = {}
    for key in CONTENTS:
        kept, text = common.filter_state_objects.get(f"{CONTENT}.{key}"), StringValue()
        if kept is not None and kept.Is(StringValue.DESCRIPTOR):
            with suppress(DecodeError):
                kept.Unpack(text)
                found[key] = text.value
    return found


def _message(content: Mapping[str, str], which: str, size: int) -> Message:
    return Message(headers=_pairs(content.get(which, "")), body=_body(content, f"{which}_body"), size=size)


def _pairs(lines: str) -> tuple[tuple[str, str], ...]:
    """Names and values, which stand one after the other."""
    texts = lines.split("\n")
    return tuple(zip(texts[::2], texts[1::2], strict=False))


def _body(content: Mapping[str, str], key: str) -> Content | None:
    text = content.get(key, "")
    if not text:
        return None
    try:
        return Content(data=base64.b64decode(text, validate=True), cut=bool(content.get(f"{key}_cut")))
    except binascii.Error:
        return None


def _notes(common: AccessLogCommon, namespace: str) -> dict[str, object]:
    metadata = common.metadata.filter_metadata
    return _plain(metadata[namespace]) if namespace in metadata else {}


def _plain(struct: Struct) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in struct.fields.items():
        kind = value.WhichOneof("kind")
        if kind is not None:
            found[key] = getattr(value, kind)
    return found


def _count(said: object) -> int:
    """What a proxy counted, where it is a number that can be."""
    return int(said) if isinstance(said, float) and 0 <= said <= _MOST_LOST else 0


def _at(content: Mapping[str, object], key: str) -> object:
    return content.get(key, "")


def _said(common: AccessLogCommon, tag: str) -> str:
    said = common.custom_tags.get(tag, "")[:_LONGEST]
    return "" if said in _ABSENT else said


def _trace(common: AccessLogCommon) -> str:
    """The trace's id by W3C's header, else by B3's."""
    parts = _said(common, "trace").split("-")
    trace = parts[1] if len(parts) == 4 else _said(common, "b3")
    return trace.lower()[:_TRACE_DIGITS]


def _address(address: Address) -> str:
    socket = address.socket_address
    if not socket.address:
        return address.pipe.path
    host = f"[{socket.address}]" if ":" in socket.address else socket.address
    return f"{host}:{socket.port_value}"


def _milliseconds(duration: Duration) -> float:
    return duration.seconds * 1000 + duration.nanos / 1e6
