"""What the proxies of some workloads see and serve: Istio's ``Sidecar``."""

from weft.kit.value import Labels, Value
from weft.model.document import Origin
from weft.model.route import Destination
from weft.model.service import Port
from weft.model.traffic import ConnectionPool

EVERY_NAMESPACE = "*"
OWN_NAMESPACE = "."


class Import(Value):
    """Hosts of one namespace: ``namespace`` may be ``*`` or ``.``, ``host`` may start with ``*``.

    ``excluded`` takes hosts out of what the other imports of the same listener bring in (Istio ``~ns/host``).
    """

    namespace: str
    host: str
    excluded: bool = False


class Egress(Value):
    """Some imports. With a ``port``, only services with this port are imported, and of them only this port.

    ``any_port``: the port speaks Istio's ``http_proxy``, for which the ports of services do not matter. With a
    ``bind``, an address or ``unix://`` and a path, the sidecar listens there; ``captured``: it does not listen, calls
    are turned to it.
    """

    imports: tuple[Import, ...]
    port: Port | None = None
    any_port: bool = False
    bind: str = ""
    captured: bool = False


class Ingress(Value):
    """A port that peers call. ``app`` is where the application listens: an address, or ``unix://`` and a path.

    Without ``app`` it is where the agent says; ``app_port`` 0 likewise. With a ``bind``, the sidecar listens there.
    """

    port: Port
    bind: str = ""
    app: str = ""
    app_port: int = 0
    connection_pool: ConnectionPool | None = None


class Sidecar(Value):
    """``selector`` of ``None`` is every workload of the namespace, or of the mesh in the root namespace.

    ``egress`` of ``None`` imports everything. ``allow_any`` is whether hosts that are not imported can be called,
    ``None`` what the mesh says; ``egress_proxy`` is the destination that such calls go to.
    """

    origin: Origin
    namespace: str
    selector: Labels | None = None
    egress: tuple[Egress, ...] | None = None
    ingress: tuple[Ingress, ...] = ()
    allow_any: bool | None = None
    egress_proxy: Destination | None = None
    inbound_pool: ConnectionPool | None = None
