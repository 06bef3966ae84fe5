"""What documents put into the way of requests beside the mesh's own filters: code, transformations, stores.

A plugin stands in the chains of the proxies that it is for, or, where only some routes want it, in every chain that
leads to them, switched off until a route switches it on.
"""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.document import Key, Origin
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
    """Which of a proxy's traffic: what it receives as a server, what it sends as a client, on some ports or all."""

    client: bool = True
    server: bool = True
    ports: tuple[int, ...] = ()


class Plugin(Value):
    """One plugin. ``name`` is what proxies call it; ``priority``: larger ones come first within a phase.

    Of the namespace's proxies (the root namespace's: of all) it is for those that have the labels of the ``selector``;
    with ``gateways``, for those of these Kubernetes Gateways; with ``targets``, for what these documents stand for;
    with ``on_routes``, for the routes that name it.
    """

    name: str
    origin: Origin
    works: tuple[Work, ...]
    phase: Phase = Phase.LAST
    priority: int = 0
    selector: Labels = ()
    gateways: tuple[str, ...] | None = None
    targets: tuple[tuple[Key, str], ...] | None = None
    on_routes: bool = False
    traffic: tuple[Traffic, ...] = ()

    @property
    def namespace(self) -> str:
        """Where its document is."""
        return self.origin.key.namespace

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Within a phase: the most important first, then the oldest."""
        return (-self.priority, self.origin.created, self.origin.key.name, self.namespace)
