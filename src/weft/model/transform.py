"""Changes of requests and responses on their way, in words that name no proxy's filter. Times are milliseconds."""

from enum import Enum

from weft.kit.value import Value


class Write(Enum):
    """What is done to a header that may be there."""

    SET = "set"
    ADD = "add"
    SET_IF_ABSENT = "set if absent"
    REMOVE = "remove"


class HeaderWrite(Value):
    """One header; ``value`` may hold the proxy's substitutions (``%REQ(...)%``)."""

    how: Write
    name: str
    value: str = ""


class BodyEdit(Value):
    """Fields of a JSON body: paths of keys, and the JSON of what is set there. ``template`` replaces the whole body,
    with ``{path}`` for fields of the old one. A body longer than ``largest`` is left as it is.
    """

    sets: tuple[tuple[tuple[str, ...], str], ...] = ()
    removes: tuple[tuple[str, ...], ...] = ()
    template: str | None = None
    content_type: str = ""
    largest: int = 65_536

    @property
    def any(self) -> bool:
        """Whether anything is changed."""
        return bool(self.sets or self.removes or self.template is not None)


class Edit(Value):
    """One direction. ``path`` (requests) and ``status`` (responses) replace what there is."""

    headers: tuple[HeaderWrite, ...] = ()
    body: BodyEdit | None = None
    path: str = ""
    method: str = ""
    status: int | None = None


class Transformation(Value):
    """Both directions."""

    request: Edit = Edit()
    response: Edit = Edit()


class Part(Enum):
    """How much of a body an external processor sees."""

    NONE = "NONE"
    STREAMED = "STREAMED"
    BUFFERED = "BUFFERED"
    BUFFERED_PARTIAL = "BUFFERED_PARTIAL"


class ExternalProcessing(Value):
    """A gRPC service that reads and changes requests and responses (Envoy: ``ExternalProcessor``).

    ``host`` and ``port`` are a service of the mesh; ``open``: requests pass when it does not answer in time.
    """

    host: str
    port: int
    request_headers: bool = True
    response_headers: bool = True
    request_body: Part = Part.NONE
    response_body: Part = Part.NONE
    open: bool = False
    timeout: int = 200


class Compression(Value):
    """Responses become smaller for callers that accept it; the algorithms in order of preference.

    ``decompress``: requests that came compressed are passed on plain.
    """

    algorithms: tuple[str, ...] = ("gzip",)
    content_types: tuple[str, ...] = ()
    least: int = 1024
    decompress: bool = False
    level: str = ""


class Cache(Value):
    """Responses are kept as HTTP says that they may be (RFC 9111), in files of a directory on the proxies' hosts.

    ``vary`` are request headers by which kept responses may differ; ``size`` and ``largest`` are bytes of all that is
    kept and of one response.
    """

    directory: str
    vary: tuple[str, ...] = ()
    size: int = 268_435_456
    ignore_request_directives: bool = False


class GrpcJson(Value):
    """gRPC services that are called with JSON. ``descriptors`` is a serialized ``FileDescriptorSet`` in base64.

    ``automatic``: methods without an annotation are called with POST at ``/<service>/<method>``; ``defaults``: fields
    at their defaults are written too; ``snake_case``: by the names that the descriptors have.
    """

    descriptors: str
    services: tuple[str, ...]
    automatic: bool = False
    defaults: bool = False
    snake_case: bool = False
    ignore_unknown: bool = False
