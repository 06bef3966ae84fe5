"""Why a proxy gets no stream, in words that become gRPC status codes at the server."""

from weft.kit.errors import PeerError, WeftError


class Refused(PeerError):
    """The proxy's certificate does not allow what it asks for (``PERMISSION_DENIED``)."""


class NotReady(WeftError):
    """Nothing complete is known yet (``UNAVAILABLE``): an empty answer would take the proxy's traffic down."""


class Malformed(PeerError):
    """The request breaks the protocol (``INVALID_ARGUMENT``)."""


class TooMuch(PeerError):
    """The peer asks for more than one stream may (``RESOURCE_EXHAUSTED``)."""
