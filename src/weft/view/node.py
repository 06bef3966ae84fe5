"""A proxy as it introduced itself and as its certificate confirmed it."""

from weft.kit.value import Labels, Value
from weft.model.identity import Identity
from weft.model.service import Protocol


class Inlet(Value):
    """A port of the application behind the sidecar.

    ``port`` is the workload port that policies name; peers connect to ``bind``:``bind_port``; the sidecar forwards to
    ``app``:``app_port``.
    """

    name: str
    port: int
    bind: str
    bind_port: int
    app_port: int
    app: str = "127.0.0.1"
    protocol: Protocol = Protocol.HTTP


class Outlet(Value):
    """A local port that stands for one upstream service's port (``--upstream orders:50051``)."""

    host: str
    port: int
    bind_port: int
    bind: str = "127.0.0.1"


class Node(Value):
    """A sidecar. ``http_proxy`` is the local (address, port) that the application's ``HTTP_PROXY`` names, if any."""

    id: str
    namespace: str
    workload: str
    identity: Identity
    labels: Labels = ()
    inlets: tuple[Inlet, ...] = ()
    outlets: tuple[Outlet, ...] = ()
    http_proxy: tuple[str, int] | None = None
