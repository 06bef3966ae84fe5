"""Who may call what: Istio's ``AuthorizationPolicy``, its conditions resolved and its short forms completed.

A rule is sources AND operations AND conditions; sources are alternatives, operations too. All of it is made of
``Condition``: an attribute that has one of some values and none of others, where an absent attribute has none.
"""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.document import Origin
from weft.model.match import Exact, Prefix, Present


class Action(Enum):
    """What a policy does to the requests that one of its rules matches."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    AUDIT = "AUDIT"
    CUSTOM = "CUSTOM"


class Attribute(Enum):
    """What a condition is about, in the words of ``when``; those that have none there in the same manner."""

    PRINCIPAL = "source.principal"
    NAMESPACE = "source.namespace"
    ACCOUNT = "source.serviceAccount"
    TRUST_DOMAIN = "source.trustDomain"
    SOURCE_IP = "source.ip"
    REMOTE_IP = "remote.ip"
    REQUEST_PRINCIPAL = "request.auth.principal"
    AUDIENCE = "request.auth.audiences"
    PRESENTER = "request.auth.presenter"
    CLAIM = "request.auth.claims"
    HEADER = "request.headers"
    HOST = "request.host"
    METHOD = "request.method"
    PATH = "request.path"
    DESTINATION_IP = "destination.ip"
    DESTINATION_PORT = "destination.port"
    SERVER_NAME = "connection.sni"
    METADATA = "experimental.envoy.filters"


HTTP_ONLY = frozenset(
    {
        Attribute.REQUEST_PRINCIPAL,
        Attribute.AUDIENCE,
        Attribute.PRESENTER,
        Attribute.CLAIM,
        Attribute.HEADER,
        Attribute.HOST,
        Attribute.METHOD,
        Attribute.PATH,
    }
)
"""What a connection of bytes does not have."""

PEER = frozenset({Attribute.PRINCIPAL, Attribute.NAMESPACE, Attribute.ACCOUNT, Attribute.TRUST_DOMAIN})
"""What only a caller with a certificate of the mesh has."""


class Suffix(Value):
    """The text's end."""

    value: str


class Template(Value):
    """A path whose ``{*}`` is one segment and whose ``{**}`` is any number of them."""

    value: str


class Subnet(Value):
    """A range of addresses."""

    address: str
    bits: int


class Listed(Value):
    """A list that has such an item."""

    item: Exact | Prefix | Suffix | Present


Pattern = Exact | Prefix | Suffix | Present | Template | Subnet | Listed


class Condition(Value):
    """``keys`` lead to a header (one), a claim, or into the metadata of a filter (its name first).

    ``any_of`` and ``none_of`` are what the attribute must and must not be; an empty one asks for nothing.
    """

    attribute: Attribute
    keys: tuple[str, ...] = ()
    any_of: tuple[Pattern, ...] = ()
    none_of: tuple[Pattern, ...] = ()


Together = tuple[Condition, ...]
"""Conditions that hold together; none of them always hold."""


class AccessRule(Value):
    """Empty ``sources`` and ``operations`` are any."""

    sources: tuple[Together, ...] = ()
    operations: tuple[Together, ...] = ()
    when: Together = ()


class TargetRef(Value):
    """What a policy is attached to instead of selected workloads: a Gateway, a Service, a ServiceEntry."""

    kind: str
    name: str
    group: str = ""


class AccessPolicy(Value):
    """One document. With ``targets`` it is theirs; else for the workloads that have ``selector``, of its namespace, or
    of the mesh in the root namespace. ``dry_run``: what it would decide is told, and nothing is decided.
    """

    origin: Origin
    namespace: str
    action: Action = Action.ALLOW
    rules: tuple[AccessRule, ...] = ()
    selector: Labels = ()
    targets: tuple[TargetRef, ...] = ()
    provider: str = ""
    dry_run: bool = False

    @property
    def name(self) -> str:
        """The document's name."""
        return self.origin.key.name
