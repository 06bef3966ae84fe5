"""Conditions on a request."""

from weft.kit.value import Labels, Value


class Exact(Value):
    """The whole text."""

    value: str


class Prefix(Value):
    """The text's beginning; for paths, a plain string prefix (``/foo`` matches ``/foobar``)."""

    value: str


class PathPrefix(Value):
    """A path's beginning, segment by segment (``/foo`` matches ``/foo/bar``, not ``/foobar``): Gateway API."""

    value: str


class Regex(Value):
    """RE2, the whole text."""

    value: str


class Present(Value):
    """Anything, as long as it is there."""


ValueMatch = Exact | Prefix | Regex
TextMatch = ValueMatch | Present
PathMatch = Exact | Prefix | PathPrefix | Regex


class HeaderMatch(Value):
    """A header and what its value must (or, inverted, must not) be. Inverted matches accept an absent header."""

    name: str
    match: TextMatch
    inverted: bool = False


class QueryMatch(Value):
    """A query parameter and what its value must be."""

    name: str
    match: TextMatch


class ClaimMatch(Value):
    """A claim of the request's verified token, by the keys that lead to it, and what it, or an item of its list, must
    (or, inverted, must not) be. Inverted matches accept requests without token or claim."""

    keys: tuple[str, ...]
    match: TextMatch
    inverted: bool = False


class HttpMatch(Value):
    """Conditions that hold together. Those on the caller (``port``, ``source_*``, ``gateways``) decide which proxies
    get the route; those on the request are the proxy's. ``name`` and ``stat_prefix`` say what its route is called and
    under which word the proxy counts it.

    ``rank``: where rules of several tables compete for a host, those of higher rank are tried first. ``share``: of all
    requests, each with a draw of its own, those whose draw is below so many percent. ``refused_by``: requests that a
    breaker, by its name, has refused.
    """

    name: str = ""
    stat_prefix: str = ""
    path: PathMatch | None = None
    ignore_case: bool = False
    method: TextMatch | None = None
    scheme: TextMatch | None = None
    authority: TextMatch | None = None
    headers: tuple[HeaderMatch, ...] = ()
    claims: tuple[ClaimMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    port: int | None = None
    source_labels: Labels = ()
    source_namespace: str = ""
    gateways: tuple[str, ...] = ()
    rank: tuple[int, ...] = ()
    share: float | None = None
    refused_by: str = ""


class ConnectionMatch(Value):
    """Conditions on a connection that hold together; a collection that is empty asks for nothing.

    ``server_names`` are those that a TLS client asks for (SNI), exact, ``*.example.com`` or ``*``; ``subnets`` hold the
    address that was called, ``source_subnet`` holds the caller's. The rest is about the caller and decides which
    proxies get the rule.
    """

    server_names: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    source_subnet: str = ""
    port: int | None = None
    source_labels: Labels = ()
    source_namespace: str = ""
    gateways: tuple[str, ...] = ()


ANY_REQUEST = HttpMatch()
_CONNECT = Exact(value="CONNECT")
_ANY_PATH = (Prefix(value="/"), PathPrefix(value="/"), Regex(value=".*"), Regex(value="*"))


def asks_for_tunnels(match: HttpMatch) -> bool:
    """Whether the match is for CONNECT, which names a host and no path (RFC 9110, 9.3.6)."""
    return match.method is not None and match.method == _CONNECT and (match.path is None or match.path in _ANY_PATH)


def catches_all(match: HttpMatch) -> bool:
    """Whether no request can fail the match (Istio: such a rule ends the list)."""
    path_open = match.path is None or match.path in _ANY_PATH
    conditions = (match.method, match.scheme, match.authority)
    listed = match.headers or match.claims or match.query or match.refused_by
    return match.share is None and path_open and not any(conditions) and not listed
