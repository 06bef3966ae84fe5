"""What attaches to something by naming it, not yet looked up: listeners, routes, grants and policies about them.

A dialect whose routes say themselves where they hold translates its documents into these parts; link decides what is
attached to what, and makes gateways, route tables and standings of them.
"""

from weft.kit.value import Labels, Value
from weft.model.document import Key, Origin
from weft.model.finding import Path
from weft.model.route import Destination, RouteTable
from weft.model.selector import LabelSelector

GROUP = "gateway.networking.k8s.io"
CONTROLLER = "weft.dev/gateway-controller"
BUILT_IN_CLASS = "weft"
GATEWAY_LABEL = f"{GROUP}/gateway-name"
"""The label by which a proxy belongs to the Gateway of that name in its own namespace."""


class Ref(Value):
    """An object that a document names."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


SERVICE = ("", "Service")
SECRET = ("", "Secret")
CONFIG_MAP = ("", "ConfigMap")


class Audience(Value):
    """The namespaces that something is open for: All, Same, Selector or None."""

    who: str = "Same"
    selector: LabelSelector = LabelSelector()


class Listener(Value):
    """A port and a host name, "" for any. ``kinds`` are the kinds of routes that it asks for, none: all that fit.

    ``certificates`` are Secrets; ``passes`` leaves TLS to the backend. ``path`` is its place in the document.
    """

    name: str
    port: int
    protocol: str
    path: Path
    hostname: str = ""
    kinds: tuple[tuple[str, str], ...] = ()
    audience: Audience = Audience()
    certificates: tuple[Ref, ...] = ()
    passes: bool = False


class ClientCheck(Value):
    """What clients must prove: a certificate issued under the ``authorities``, or none where that may fail.

    ``path`` is where the document says so.
    """

    authorities: tuple[Ref, ...]
    path: Path
    optional: bool = False


class Attachable(Value):
    """What every part knows of its document."""

    origin: Origin
    generation: int

    @property
    def key(self) -> Key:
        """The document's name."""
        return self.origin.key

    @property
    def namespace(self) -> str:
        """The document's namespace."""
        return self.origin.key.namespace

    @property
    def name(self) -> str:
        """The document's own name."""
        return self.origin.key.name

    @property
    def ref(self) -> Ref:
        """How others name it."""
        key = self.origin.key
        return Ref(group=key.group, kind=key.kind, namespace=key.namespace, name=key.name)

    @property
    def age(self) -> tuple[str, str]:
        """Gateway API's order of conflicting documents: oldest first, then by ``namespace/name``."""
        return (self.origin.created, f"{self.namespace}/{self.name}")


class ClassPart(Attachable):
    """A class of gateways and the controller that serves it."""

    controller: str
    parameters: Ref | None = None


class GatewayPart(Attachable):
    """Listeners for the proxies of a gateway.

    ``addresses`` are pairs of type and value. ``clients`` holds at all HTTPS ports that ``port_clients`` does not name;
    ``certificate`` is what the gateway shows backends; a ``default`` one has the routes that ask for any default.
    """

    class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()
    labels: Labels = ()
    parameters: Ref | None = None
    sets: Audience = Audience(who="None")
    clients: ClientCheck | None = None
    port_clients: tuple[tuple[int, ClientCheck | None], ...] = ()
    certificate: Ref | None = None
    default: bool = False


class ListenerSetPart(Attachable):
    """Further listeners of a gateway."""

    gateway: Ref
    listeners: tuple[Listener, ...] = ()


class ParentRef(Value):
    """What a route attaches to: a ``section`` ("": all) and a ``port`` (``None``: all) of it; ``path`` is the place."""

    ref: Ref
    path: Path
    section: str = ""
    port: int | None = None


class BackendUse(Value):
    """A backend that a route names; ``destination`` is what its rules call it."""

    ref: Ref
    path: Path
    destination: Destination


class RoutePart(Attachable):
    """A route. ``table`` has its rules and host names, none for those of its listeners, and no gateways yet.

    ``extensions`` are filters of kinds that nobody here knows, with their places. ``at_defaults``: it attaches to the
    default gateways too.
    """

    table: RouteTable
    parents: tuple[ParentRef, ...] = ()
    backends: tuple[BackendUse, ...] = ()
    extensions: tuple[tuple[Ref, Path], ...] = ()
    at_defaults: bool = False


class GrantPart(Attachable):
    """Who may refer to what of this namespace: (group, kind, namespace) to (group, kind, name or "" for all)."""

    granted: tuple[tuple[str, str, str], ...] = ()
    objects: tuple[tuple[str, str, str], ...] = ()


class BackendTlsPart(Attachable):
    """TLS that services want to be spoken to: ``targets`` with the name of a port, "" for all, and the place.

    ``names`` are those that the certificate may have, with the host name if empty; ``system``: the proxy's host says
    whom to trust.
    """

    targets: tuple[tuple[Ref, str, Path], ...]
    hostname: str
    names: tuple[str, ...] = ()
    authorities: tuple[Ref, ...] = ()
    system: bool = False


Part = ClassPart | GatewayPart | ListenerSetPart | RoutePart | GrantPart | BackendTlsPart
