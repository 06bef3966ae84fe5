"""Live requests as somebody wants to see them: of whom, which ones, and how much of each.

Shared by the compiler, which has proxies look for them, and by what reads what they tell.
"""

from enum import Enum

from weft.kit.globs import fits
from weft.kit.value import Value

IN, OUT = "weft.tap.in", "weft.tap.out"
"""The logs, and the filters that are put in for as long as somebody watches: of peers' side, and of the application's
(a gateway's client's too)."""
LIMIT, CONNECTIONS = "weft.tap", "weft.tap.connections"
"""The buckets that entries of requests and of connections are taken from."""
MARK, CONTENT = "weft.tap", "weft.tapped"
"""Where a watched request is noted in the proxy: in metadata; and in filter state, what of its content."""
CONTENTS = ("request", "request_body", "request_body_cut", "response", "response_body", "response_body_cut")
MOST_BODY = 65_536
"""Bytes of a body that can be asked for."""


class Side(Enum):
    """Where a call is seen: by who is called, or by who calls."""

    IN = "in"
    OUT = "out"

    @property
    def log(self) -> str:
        """The name of its log and of its filter."""
        return IN if self is Side.IN else OUT


class Target(Value):
    """Whose proxies are watched: of a service, of a workload (one instance, or all that are alike), or of a namespace.

    ``namespace`` "" is all of them.
    """

    namespace: str = ""
    service: str = ""
    workload: str = ""


class Looking(Value):
    """Which requests; what is empty lets all through.

    ``path``, ``authority``, ``identity``, ``route`` and the values of ``headers`` are patterns with ``*``; ``path`` is
    without its query, ``identity`` the caller's SPIFFE ID. ``statuses`` are ranges with both ends. ``slower_than`` is
    milliseconds. ``source`` and ``service`` are the caller's workload or service, and the host that is called.
    """

    methods: tuple[str, ...] = ()
    path: str = ""
    authority: str = ""
    statuses: tuple[tuple[int, int], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    slower_than: float = 0.0
    identity: str = ""
    source: str = ""
    service: str = ""
    route: str = ""


class Showing(Value):
    """How much of a request: headers by patterns of their names, and the first bytes of bodies."""

    headers: tuple[str, ...] = ()
    body: int = 0


class Wanted(Value):
    """What one watcher wants of a proxy."""

    number: int
    looking: Looking = Looking()
    showing: Showing = Showing()


class End(Value):
    """One side of a call. ``identity`` is a SPIFFE ID, proved by a certificate; "" where none was shown."""

    workload: str = ""
    namespace: str = ""
    service: str = ""
    identity: str = ""
    address: str = ""


class Content(Value):
    """A part of a body. ``size`` is how much of it the proxy told; ``cut``: there was more."""

    data: bytes = b""
    cut: bool = False


class Message(Value):
    """What was asked or answered, as far as it was wanted: headers in their order, and the beginning of a body."""

    headers: tuple[tuple[str, str], ...] = ()
    body: Content | None = None
    size: int = 0

    def header(self, name: str) -> str:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), "")


class Exchange(Value):
    """One request and its answer, or (``method`` "") one connection of which ``phase`` says whether it began or ended.

    ``at`` is seconds since the epoch, ``duration`` milliseconds. ``flags`` are Envoy's. ``verdicts`` say which access
    policies had something against it. ``lost`` are requests that the proxy did not tell of before this one.
    """

    at: float
    proxy: str
    side: Side
    source: End = End()
    destination: End = End()
    service: str = ""
    phase: str = ""
    protocol: str = ""
    method: str = ""
    scheme: str = ""
    authority: str = ""
    path: str = ""
    status: int = 0
    grpc: str = ""
    flags: tuple[str, ...] = ()
    detail: str = ""
    duration: float = 0.0
    route: str = ""
    attempts: int = 0
    mutual: bool = False
    tls: str = ""
    verdicts: tuple[str, ...] = ()
    request_id: str = ""
    trace_id: str = ""
    request: Message = Message()
    response: Message = Message()
    lost: int = 0


def matches(looking: Looking, seen: Exchange) -> bool:
    """Whether this is one of them. A connection has neither path nor status: whoever asks for these gets none."""
    return (
        _of_request(looking, seen)
        and seen.duration >= looking.slower_than
        and (not looking.identity or fits(looking.identity, seen.source.identity))
        and (not looking.source or is_from(looking.source, seen.source))
        and (not looking.service or looking.service == seen.service)
        and (not looking.route or fits(looking.route, seen.route))
    )


def _of_request(looking: Looking, seen: Exchange) -> bool:
    if not seen.method:
        wanted = (looking.methods, looking.path, looking.authority, looking.statuses, looking.headers)
        return not any(wanted)
    return (
        (not looking.methods or seen.method in looking.methods)
        and (not looking.path or fits(looking.path, seen.path.partition("?")[0]))
        and (not looking.authority or fits(looking.authority, seen.authority.lower()))
        and (not looking.statuses or any(low <= seen.status <= high for low, high in looking.statuses))
    )


def is_from(source: str, end: End) -> bool:
    """Whether a side is the workload or service of a name, ``namespace/name`` or in whatever namespace."""
    namespace, _, name = source.rpartition("/")
    return name in (end.workload, end.service) and namespace in ("", end.namespace)
