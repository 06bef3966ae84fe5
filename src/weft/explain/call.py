"""An imagined request, and what would become of it."""

from enum import Enum
from urllib.parse import urlsplit

from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.document import Place

_SCHEMES = ("http", "https", "grpc", "tcp", "tls", "udp")


class Call(Value):
    """A request as the application makes it. ``path`` includes the query; header names are lower-case."""

    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def authority(self) -> str:
        """Host and port as the application names them: its host header, else those of the URL."""
        if (named := next((value for key, value in self.headers if key == "host"), None)) is not None:
            return named
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port is not None else host

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks so if it may call (Fetch standard, CORS-preflight request)."""
        asks = bool(self.header("origin")) and bool(self.header("access-control-request-method"))
        return self.method == "OPTIONS" and asks

    def header(self, name: str) -> str | None:
        """A header's values joined by commas, pseudo-headers included, ``None`` when absent (as Envoy looks at it)."""
        pseudo = {
            ":method": self.method,
            ":path": self.path,
            ":authority": self.authority,
            ":scheme": "https" if self.scheme == "https" else "http",
        }
        if name in pseudo:
            return pseudo[name]
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


class State(Enum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Step(Value):
    """One thing that the proxy decides: which, with what result, and why.

    ``about`` names the resource, as ``weft.explain.causes`` reads it: a listener, a virtual host, a cluster, or a route
    by its number among how many. ``causes`` are the places in documents that make it so.
    """

    name: str
    what: str
    state: State = State.OK
    details: tuple[str, ...] = ()
    about: str = ""
    causes: tuple[Place, ...] = ()


class Explanation(Value):
    """All steps in order and the sentence at the end. ``ok``: the request would be answered as configured."""

    steps: tuple[Step, ...]
    outcome: str
    ok: bool


def parse_call(method: str, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Call:
    """A call from what a user writes. Raises ``UserError`` for a URL that no proxy could be asked for."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UserError(f"{url} is not a URL ({str(error).lower()})", help=_EXAMPLE) from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UserError(f"{url} is not a URL of {', '.join(_SCHEMES)}", help=_EXAMPLE)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = tuple((name.lower(), value) for name, value in headers)
    if parts.scheme == "grpc":
        named = (*named, ("content-type", "application/grpc"))
    return Call(method=method.upper(), scheme=parts.scheme, host=parts.hostname, port=port, path=path, headers=named)


_EXAMPLE = "write it as http://reviews:9080/reviews/1, grpc://orders:50051/shop.Orders/Place or tcp://ledger:7000"
