"""What documents put into the way of requests beside the mesh's own filters: code, transformations, stores.

A plugin stands in the chains of the proxies that it is for, or, where only some routes want it, in every chain that
leads to them, switched off until a route switches it on.
"""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.attachment import Attachment
from weft.model.document import Origin
from weft.model.transform import Cache, Compression, ExternalProcessing, GrpcJson, Transformation


class Phase(Enum):
    """Where among the other filters a plugin stands, in the order of requests (Istio: ``PluginPhase``)."""

    AUTHN = "before callers are authenticated"
    AUTHZ = "before calls are authorized"
    TRANSFORMATION = "after calls are authorized and limited"
    CACHE = "before the cache"
    COMPRESSION = "before compression"
    LAST = "before the routes are followed"
    STATS = "before calls are counted"


class Failure(Enum):
    """What becomes of requests when code fails."""

    CLOSE = "FAIL_CLOSED"
    OPEN = "FAIL_OPEN"
    RELOAD = "FAIL_RELOAD"


class Wasm(Value):
    """A WebAssembly module in a file of the proxies' hosts; ``configuration`` is JSON.

    ``host_environment`` are variables of the proxies' own; ``network``: it sees bytes and no requests.
    """

    path: str
    root: str = ""
    configuration: str = ""
    environment: Labels = ()
    host_environment: tuple[str, ...] = ()
    failure: Failure = Failure.CLOSE
    network: bool = False


class Lua(Value):
    """A script for requests and responses."""

    source: str


Work = Wasm | Lua | Transformation | ExternalProcessing | Compression | Cache | GrpcJson


class Traffic(Value):
    """Which of a proxy's traffic: what a sidecar receives as a server, what it sends as a client, what comes to a
    gateway; on some ports or all.
    """

    client: bool = True
    server: bool = True
    gateway: bool = True
    ports: tuple[int, ...] = ()


class Plugin(Value):
    """One plugin. ``name`` is what proxies call it; ``priority``: larger ones come first within a phase.

    Of Istio's: of the namespace's proxies (the root namespace's: of all) it is for those that have the labels of the
    ``selector``; with ``gateways``, for those of these Kubernetes Gateways. Of weft's: it holds at its ``attachment``.
    ``chains`` are the only ones of a gateway that it stands in, all if there are none; ``off``: it stands switched off,
    and routes that name it switch it on; ``step`` puts the plugins of one document in order.
    """

    name: str
    origin: Origin
    works: tuple[Work, ...]
    phase: Phase = Phase.LAST
    priority: int = 0
    selector: Labels = ()
    gateways: tuple[str, ...] | None = None
    attachment: Attachment | None = None
    chains: tuple[str, ...] = ()
    off: bool = False
    step: int = 0
    traffic: tuple[Traffic, ...] = ()

    @property
    def namespace(self) -> str:
        """Where its document is."""
        return self.origin.key.namespace

    @property
    def order(self) -> tuple[int, str, str, str, int]:
        """Within a phase: the most important first, then the oldest."""
        return (-self.priority, self.origin.created, self.origin.key.name, self.namespace, self.step)
