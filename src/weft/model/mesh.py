"""Everything linked: the one noun between documents and views."""

from collections.abc import Mapping

from weft.kit.value import Value
from weft.model.authentication import KeySet, TokenPolicy
from weft.model.authorization import AccessPolicy
from weft.model.breaker import CircuitBreaker
from weft.model.credential import StoredCredential
from weft.model.document import Key
from weft.model.extension import Patch
from weft.model.finding import Finding
from weft.model.gateway import Gateway
from weft.model.issuing import Challenge, Issuance
from weft.model.limits import RateLimitPolicy
from weft.model.namespace import Namespace
from weft.model.objective import Objective
from weft.model.plugin import Plugin
from weft.model.proxy import ProxySettings
from weft.model.route import RouteTable
from weft.model.security import PeerPolicy
from weft.model.service import Service
from weft.model.settings import Settings
from weft.model.sidecar import Sidecar
from weft.model.standing import Standing
from weft.model.telemetry import TelemetryPolicy
from weft.model.traffic import DestinationPolicy
from weft.model.workload import Workload


class Mesh(Value):
    """The mesh at one revision, references resolved, conflicts decided, each collection in order of precedence.

    ``services`` is by host; ``others`` are those of a host that a service of another namespace has first, in order of
    precedence. ``route_tables`` are those bound to ``mesh`` or gateways, oldest first. ``policies`` is by
    (namespace, host): all rules of one namespace for one host, merged; host may start with ``*``.
    The mappings are read-only by contract: a new revision is a new ``Mesh``.
    """

    revision: int = 0
    settings: Settings = Settings()
    services: Mapping[str, Service] = {}
    others: tuple[Service, ...] = ()
    workloads: tuple[Workload, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    policies: Mapping[tuple[str, str], tuple[DestinationPolicy, ...]] = {}
    peer_policies: tuple[PeerPolicy, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    patches: tuple[Patch, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    telemetries: tuple[TelemetryPolicy, ...] = ()
    proxy_settings: tuple[ProxySettings, ...] = ()
    credentials: Mapping[Key, StoredCredential] = {}
    issuances: tuple[Issuance, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    breakers: tuple[CircuitBreaker, ...] = ()
    rate_limits: tuple[RateLimitPolicy, ...] = ()
    objectives: tuple[Objective, ...] = ()
    standings: tuple[Standing, ...] = ()
    access_policies: tuple[AccessPolicy, ...] = ()
    token_policies: tuple[TokenPolicy, ...] = ()
    keys: tuple[KeySet, ...] = ()
    findings: tuple[Finding, ...] = ()
