"""Changes that users make to what a proxy is sent, in the proxy's own words: Istio's ``EnvoyFilter``.

A patch is a value like any other: its content stays the JSON that was written, and only the compiler reads it.
"""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.document import Origin
from weft.model.finding import Path


class Context(Enum):
    """For which side of which proxy something was made."""

    ANY = "ANY"
    SIDECAR_INBOUND = "SIDECAR_INBOUND"
    SIDECAR_OUTBOUND = "SIDECAR_OUTBOUND"
    GATEWAY = "GATEWAY"


class PatchTarget(Enum):
    """What kind of thing is patched."""

    LISTENER = "LISTENER"
    LISTENER_FILTER = "LISTENER_FILTER"
    FILTER_CHAIN = "FILTER_CHAIN"
    NETWORK_FILTER = "NETWORK_FILTER"
    HTTP_FILTER = "HTTP_FILTER"
    ROUTE_CONFIGURATION = "ROUTE_CONFIGURATION"
    VIRTUAL_HOST = "VIRTUAL_HOST"
    HTTP_ROUTE = "HTTP_ROUTE"
    CLUSTER = "CLUSTER"
    EXTENSION_CONFIG = "EXTENSION_CONFIG"
    BOOTSTRAP = "BOOTSTRAP"


class PatchOperation(Enum):
    """What is done to it."""

    MERGE = "MERGE"
    MERGE_AND_REPLACE_LIST = "MERGE_AND_REPLACE_LIST"
    ADD = "ADD"
    REMOVE = "REMOVE"
    INSERT_BEFORE = "INSERT_BEFORE"
    INSERT_AFTER = "INSERT_AFTER"
    INSERT_FIRST = "INSERT_FIRST"
    REPLACE = "REPLACE"

    @property
    def merges(self) -> bool:
        """Whether something that is there is changed in place."""
        return self in (PatchOperation.MERGE, PatchOperation.MERGE_AND_REPLACE_LIST)


class ListenerMatch(Value):
    """Which listener, chain and filter; what is empty or 0 is not asked for."""

    name: str = ""
    port: int = 0
    chain: str = ""
    sni: str = ""
    transport_protocol: str = ""
    application_protocols: tuple[str, ...] = ()
    destination_port: int = 0
    filter: str = ""
    sub_filter: str = ""
    listener_filter: str = ""


class RoutesMatch(Value):
    """Which route configuration, virtual host and route; ``gateway`` is ``<namespace>/<name>``."""

    name: str = ""
    port: int = 0
    port_name: str = ""
    gateway: str = ""
    host: str = ""
    domain: str = ""
    route: str = ""
    action: str = ""


class ClusterMatch(Value):
    """Which cluster. With a ``name``, nothing else is asked for."""

    name: str = ""
    port: int = 0
    service: str = ""
    subset: str = ""


class Patch(Value):
    """One change. ``value`` is canonical JSON of the Envoy message, empty for a removal; ``path`` leads to the patch in
    its document. ``only_versions`` (RE2) and ``only_metadata`` ask for what proxies tell about themselves; ``gateways``
    are the Kubernetes Gateways of the namespace whose proxies alone are meant, ``None`` where all are;
    ``filter_class``: after which of the mesh's own HTTP filters a new one comes.
    """

    origin: Origin
    path: Path
    namespace: str
    target: PatchTarget
    operation: PatchOperation
    selector: Labels = ()
    priority: int = 0
    context: Context = Context.ANY
    match: ListenerMatch | RoutesMatch | ClusterMatch | None = None
    value: bytes = b""
    only_versions: str = ""
    only_metadata: Labels = ()
    gateways: tuple[str, ...] | None = None
    filter_class: str = ""
