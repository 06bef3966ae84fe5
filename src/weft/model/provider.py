"""Services that proxies ask: what MeshConfig's ``extensionProviders`` name, so that documents can refer to them."""

from weft.kit.value import Labels, Value


class BodyInCheck(Value):
    """How much of a request's body is sent along; ``partial``: a longer one is cut, else it is refused with 413."""

    max_bytes: int
    partial: bool = False
    raw: bool = False


class HttpCheck(Value):
    """What of a request is sent to an authorizer that speaks HTTP, and what of its answer is passed on.

    ``request_headers`` and the three after it name headers, or a pattern of them with ``*`` at one end.
    ``additional_headers`` are sent with every check.
    """

    path_prefix: str = ""
    request_headers: tuple[str, ...] = ()
    additional_headers: Labels = ()
    to_upstream_on_allow: tuple[str, ...] = ()
    to_downstream_on_allow: tuple[str, ...] = ()
    to_downstream_on_deny: tuple[str, ...] = ()


class Authorizer(Value):
    """A service that is asked whether a request may pass: by HTTP with ``http``, else by Envoy's gRPC protocol.

    ``service`` is its host; ``namespace`` says whose, "" whichever is visible. ``timeout`` is milliseconds.
    ``status_on_error`` is what is answered when it cannot be asked, 403 if unset, unless ``fail_open`` lets all pass.
    """

    service: str
    port: int
    namespace: str = ""
    timeout: int = 600_000
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: int | None = None
    body: BodyInCheck | None = None
    http: HttpCheck | None = None


class ExtensionProvider(Value):
    """A name for a service."""

    name: str
    authorizer: Authorizer
