"""Recorded calls: what the mesh's workloads were asked lately, for questions about what a policy would change.

Proxies tell some of what reaches them, so many a second (``weft.compiler.telemetry.calls``); alike calls are counted
together, by the minute, for an hour, in bounded memory. Queries of paths, headers, tokens and bodies are not in it.
"""

from collections import Counter, deque
from collections.abc import Iterator

from weft._pb.envoy.config.core.v3.address_pb2 import Address
from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogCommon
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.clock import Clock
from weft.kit.value import Value
from weft.observe.access_logs import Reporter

LOG = "weft.calls"
HOUR = 3600.0
MOST_KINDS = 50_000
"""Kinds of calls, those of each minute apart; some 30 MB."""
MOST_OF_ONE = 10_000
"""Of them those that proxies of one identity tell, so that none takes the place of all others."""
_MINUTE = 60.0
_LONGEST = 512
_LONGEST_ADDRESS = 64
_PORT, _METHOD, _HOST, _PATH, _SERVER_NAME = "port", "method", "host", "path", "sni"


class Call(Value):
    """A kind of call: who called what. ``source`` is the caller's SPIFFE ID, empty without a certificate, ``proxy``
    the callee's ``<workload>.<namespace>`` and ``port`` its application's, or the one that a gateway's document names.
    A connection has no ``method``. ``address`` is who connected, ``client`` whom proxies before it name, ``own`` the
    address that was called, and ``server_name`` what TLS asked for."""

    source: str
    proxy: str
    port: int
    address: str = ""
    client: str = ""
    own: str = ""
    server_name: str = ""
    method: str = ""
    authority: str = ""
    path: str = ""


class Calls:
    """What was recorded. Owned by one event loop; ``read`` takes the entries of a message."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: deque[_Minute] = deque()
        self._kinds: Counter[str] = Counter()
        self._total = 0
        self.lost = 0
        """Calls that found no place."""

    def read(self, reporter: Reporter, message: StreamAccessLogsMessage) -> None:
        """Count the calls of a message."""
        minute, teller = self._minute(), reporter.identity.uri
        for call in _calls_of(reporter, message):
            if call in minute.calls:
                minute.calls[call] += 1
            elif self._total >= MOST_KINDS or self._kinds[teller] >= MOST_OF_ONE:
                self.lost += 1
            else:
                minute.calls[call] = 1
                minute.kinds[teller] += 1
                self._kinds[teller] += 1
                self._total += 1

    def recorded(self, seconds: float) -> list[tuple[Call, int]]:
        """The calls of the last seconds, an hour at most, and how often, the most frequent first."""
        self._forget()
        since = (self._clock.now() - seconds) // _MINUTE
        found: dict[Call, int] = {}
        for minute in self._minutes:
            for call, count in minute.calls.items() if minute.number >= since else ():
                found[call] = found.get(call, 0) + count
        return sorted(found.items(), key=lambda one: (-one[1], one[0].proxy, one[0].source, one[0].path))

    def _minute(self) -> "_Minute":
        number = int(self._clock.now() // _MINUTE)
        if not self._minutes or self._minutes[-1].number < number:
            self._forget()
            self._minutes.append(_Minute(number))
        return self._minutes[-1]

    def _forget(self) -> None:
        oldest = (self._clock.now() - HOUR) // _MINUTE
        while self._minutes and self._minutes[0].number < oldest:
            gone = self._minutes.popleft()
            self._kinds -= gone.kinds
            self._total -= len(gone.calls)


class _Minute:
    """The calls of one minute, and how many kinds of them who told."""

    __slots__ = ("calls", "kinds", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls: dict[Call, int] = {}
        self.kinds: Counter[str] = Counter()


def _calls_of(reporter: Reporter, message: StreamAccessLogsMessage) -> Iterator[Call]:
    for request in message.http_logs.log_entry:
        asked, common = request.request, request.common_properties
        yield _call(
            reporter,
            common,
            method=_tag(common, _METHOD) or RequestMethod.Name(asked.request_method or RequestMethod.GET),
            authority=_tag(common, _HOST) or asked.authority[:_LONGEST],
            path=_tag(common, _PATH) or (asked.original_path or asked.path).partition("?")[0][:_LONGEST],
        )
    for connection in message.tcp_logs.log_entry:
        yield _call(reporter, connection.common_properties)


def _call(reporter: Reporter, common: AccessLogCommon, **asked: str) -> Call:
    names = common.tls_properties.peer_certificate_properties.subject_alt_name
    port = _tag(common, _PORT)
    return Call(
        source=",".join(name.uri for name in names if name.uri)[:_LONGEST],
        proxy=reporter.proxy,
        port=int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0,
        address=_address(common.downstream_direct_remote_address),
        client=_address(common.downstream_remote_address),
        own=_address(common.downstream_local_address),
        server_name=_tag(common, _SERVER_NAME),
        **asked,
    )


def _address(told: Address) -> str:
    return told.socket_address.address[:_LONGEST_ADDRESS]


def _tag(common: AccessLogCommon, name: str) -> str:
    """What a tag says; Envoy writes a hyphen for nothing."""
    text = str(common.custom_tags.get(name, ""))[:_LONGEST]
    return "" if text == "-" else text
