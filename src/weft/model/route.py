"""What happens to a request or a connection: rules in order, with matches and one action. Times are milliseconds."""

from weft.kit.value import Value
from weft.model.document import Origin, Place
from weft.model.guard import UNGUARDED, Guards
from weft.model.match import ConnectionMatch, HttpMatch, ValueMatch
from weft.model.provider import BodyInCheck, HttpCheck


class Destination(Value):
    """A service's host (fully qualified), a subset, a port (``None``: its only one, or the one that was called)."""

    host: str
    subset: str = ""
    port: int | None = None


class HeaderOperations(Value):
    """Changes to headers, applied in the order remove, set, add. ``set`` overwrites, ``add`` appends."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


class Headers(Value):
    """Header changes on the way out and on the way back."""

    request: HeaderOperations = HeaderOperations()
    response: HeaderOperations = HeaderOperations()


class Backend(Value):
    """A destination's share of a route. The shares are relative; 0 gets nothing.

    ``authority`` is set for this share only, where the rule sets none ("": left as it is). ``broken``: the destination
    must not or cannot be called, so that the share is answered with an error.
    """

    destination: Destination
    weight: int = 100
    headers: Headers = Headers()
    authority: str = ""
    broken: bool = False


class PathRewrite(Value):
    """Replace the matched prefix (or exact path) by ``to``."""

    to: str


class RegexRewrite(Value):
    """Replace what an RE2 pattern matches by a substitution with ``\\1`` groups."""

    pattern: str
    substitution: str


class Rewrite(Value):
    """Changes to the path and to the authority."""

    path: PathRewrite | RegexRewrite | None = None
    authority: str = ""


class Retries(Value):
    """Attempts after the first. ``on`` are Envoy's words, ``codes`` HTTP status codes; 0 attempts: none.

    ``per_try_timeout`` and ``backoff`` are milliseconds, ``None`` Envoy's default.
    """

    attempts: int = 2
    on: tuple[str, ...] = ("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes")
    codes: tuple[int, ...] = ()
    per_try_timeout: int | None = None
    backoff: int | None = None
    ignore_previous_hosts: bool = True
    remote_localities: bool = False


class Mirror(Value):
    """A copy of a share (percent, 0-100) of the requests; its answers are thrown away."""

    destination: Destination
    percent: float = 100.0


class Forward(Value):
    """Send the request on. ``timeout`` ``None``: no limit. ``retries`` ``None``: the mesh's default.

    ``broken_status`` is the answer of a backend that must not or cannot be called.
    """

    backends: tuple[Backend, ...]
    rewrite: Rewrite = Rewrite()
    timeout: int | None = None
    retries: Retries | None = None
    mirrors: tuple[Mirror, ...] = ()
    broken_status: int = 500


class Redirect(Value):
    """Answer with another place. ``path_prefix`` replaces the matched prefix, ``path`` the whole path, ``pattern`` what
    it matches. ``port_from_protocol``: the port is the scheme's own, whatever port was called."""

    path: str = ""
    path_prefix: str = ""
    pattern: RegexRewrite | None = None
    authority: str = ""
    scheme: str = ""
    port: int | None = None
    port_from_protocol: bool = False
    port_from_request: bool = False
    code: int = 301


class DirectResponse(Value):
    """Answer at once."""

    status: int
    body: bytes = b""


Action = Forward | Redirect | DirectResponse


class Delay(Value):
    """Hold a share (percent) of the requests back for ``fixed`` milliseconds."""

    fixed: int
    percent: float = 0.0


class Abort(Value):
    """Answer a share (percent) of the requests with an error: an HTTP status or a gRPC status code."""

    http_status: int | None = None
    grpc_status: int | None = None
    percent: float = 0.0


class Fault(Value):
    """Faults that the caller's proxy injects on purpose."""

    delay: Delay | None = None
    abort: Abort | None = None


class CorsPolicy(Value):
    """Which pages of other origins may call (Fetch standard, CORS protocol).

    ``max_age`` is seconds; ``allow_credentials`` ``None`` says nothing. ``forward_unmatched``: preflight requests of
    other origins go to the application, else the proxy answers them without the headers that would allow the call.
    """

    allow_origins: tuple[ValueMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool | None = None
    forward_unmatched: bool = True


class Session(Value):
    """What carries a session that stays at one endpoint: a cookie for a ``path``, or a header.

    ``ttl`` is milliseconds that the cookie is kept, ``None``: until the browser ends.
    """

    name: str
    header: bool = False
    path: str = "/"
    ttl: int | None = None


class ExternalCheck(Value):
    """Somebody else who decides whether a request passes: by HTTP with ``http``, else by Envoy's gRPC protocol, told of
    the ``headers`` that are named, of all if there are none."""

    destination: Destination
    http: HttpCheck | None = None
    headers: tuple[str, ...] = ()
    body: BodyInCheck | None = None


class Delegate(Value):
    """Another table, without hosts, whose rules stand in the place of the one that names it."""

    namespace: str
    name: str


class RouteSpans(Value):
    """Of how many calls (percent) that come without a decision there are spans; ``disabled``: of none at all."""

    percent: float = 0.0
    disabled: bool = False


class HttpRule(Value):
    """One rule: any of the matches (none: every request), then the action.

    ``origin`` is the document that says it, where that is not the table's. With a ``delegate`` the action is a
    ``Forward`` without backends: what it says else holds for those of the delegate's rules that do not say it. Linked
    rules have no delegate. Link gives the ``guards`` and ``spans``. ``written`` is where people find the rule.
    """

    action: Action
    name: str = ""
    matches: tuple[HttpMatch, ...] = ()
    headers: Headers = Headers()
    fault: Fault | None = None
    cors: CorsPolicy | None = None
    session: Session | None = None
    check: ExternalCheck | None = None
    delegate: Delegate | None = None
    guards: Guards = UNGUARDED
    spans: RouteSpans | None = None
    origin: Origin | None = None
    written: Place | None = None


class ConnectionRule(Value):
    """One rule for connections that are passed on as bytes: any of the matches (none: every one), then the shares.

    ``written`` is where people find it.
    """

    backends: tuple[Backend, ...]
    matches: tuple[ConnectionMatch, ...] = ()
    written: Place | None = None


class RouteTable(Value):
    """The rules for some hosts: an Istio ``VirtualService``, an ``HTTPRoute`` bound to a service, ...

    Without hosts it is a delegate: its rules hold where a rule of another table leads to it, and link puts them there.
    ``hosts`` are fully qualified or start with ``*``; ``gateways`` says where, ``mesh`` = all sidecars. In these the
    oldest table has a host, but those that come ``first`` have it before all others.
    """

    origin: Origin
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...] = ("mesh",)
    http: tuple[HttpRule, ...] = ()
    tls: tuple[ConnectionRule, ...] = ()
    tcp: tuple[ConnectionRule, ...] = ()
    udp: tuple[ConnectionRule, ...] = ()
    export_to: tuple[str, ...] = ("*",)
    first: bool = False
