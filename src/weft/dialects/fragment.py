"""What one document says, in the model's words, its references not yet looked up."""

from weft.dialects.parts import Part
from weft.dialects.slo_parts import SloPart
from weft.kit.value import Value
from weft.model.authentication import TokenPolicy
from weft.model.authorization import AccessPolicy
from weft.model.breaker import CircuitBreaker
from weft.model.credential import StoredCredential
from weft.model.document import Key
from weft.model.extension import Patch
from weft.model.finding import Finding, Path
from weft.model.gateway import Gateway
from weft.model.health_check import HealthPolicy
from weft.model.issuing import Challenge, Issuer, Order
from weft.model.limits import RateLimitPolicy
from weft.model.namespace import Namespace
from weft.model.plugin import Plugin
from weft.model.proxy import ProxySettings
from weft.model.route import Destination, RouteTable
from weft.model.security import PeerPolicy
from weft.model.service import Service
from weft.model.sidecar import Sidecar
from weft.model.telemetry import TelemetryPolicy
from weft.model.traffic import DestinationPolicy
from weft.model.workload import Workload


class Reference(Value):
    """A destination that a document names, and the place where it does."""

    destination: Destination
    path: Path


class Collections(Value):
    """What documents make of the mesh, by the noun."""

    services: tuple[Service, ...] = ()
    workloads: tuple[Workload, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    policies: tuple[DestinationPolicy, ...] = ()
    peer_policies: tuple[PeerPolicy, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    patches: tuple[Patch, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    telemetries: tuple[TelemetryPolicy, ...] = ()
    proxy_settings: tuple[ProxySettings, ...] = ()
    credentials: tuple[StoredCredential, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    orders: tuple[Order, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    breakers: tuple[CircuitBreaker, ...] = ()
    rate_limits: tuple[RateLimitPolicy, ...] = ()
    health_checks: tuple[HealthPolicy, ...] = ()
    slo_parts: tuple[SloPart, ...] = ()
    access_policies: tuple[AccessPolicy, ...] = ()
    token_policies: tuple[TokenPolicy, ...] = ()
    findings: tuple[Finding, ...] = ()


class Fragment(Collections, kw_only=True):
    """One document's part of the mesh. A document that cannot be translated yields findings and nothing else."""

    key: Key
    part: Part | None = None
    references: tuple[Reference, ...] = ()
