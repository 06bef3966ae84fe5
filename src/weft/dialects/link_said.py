"""What all fragments say together, gathered run by run, so that one changed document costs its neighbours alone."""

from typing import Any

from weft.dialects.fragment import Fragment
from weft.dialects.parts import Part
from weft.dialects.slo_parts import SloPart
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, joined
from weft.kit.value import Value
from weft.model.authentication import TokenPolicy
from weft.model.authorization import AccessPolicy
from weft.model.breaker import CircuitBreaker
from weft.model.credential import StoredCredential
from weft.model.extension import Patch
from weft.model.finding import Finding
from weft.model.gateway import Gateway
from weft.model.health_check import HealthPolicy
from weft.model.issuing import Challenge, Issuer, Order
from weft.model.limits import RateLimitPolicy
from weft.model.namespace import Namespace
from weft.model.plugin import Plugin
from weft.model.proxy import ProxySettings
from weft.model.route import RouteTable
from weft.model.security import PeerPolicy
from weft.model.service import Service
from weft.model.sidecar import Sidecar
from weft.model.telemetry import TelemetryPolicy
from weft.model.traffic import DestinationPolicy
from weft.model.workload import Workload


class Said(Value):
    """The collections of ``Fragment`` under their names, one after another in the order of fragments."""

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
    access_policies: tuple[AccessPolicy, ...] = ()
    token_policies: tuple[TokenPolicy, ...] = ()
    slo_parts: tuple[SloPart, ...] = ()
    findings: tuple[Finding, ...] = ()
    parts: tuple[Part, ...] = ()


_NAMES = tuple(name for name in Said.__struct_fields__ if name != "parts")


def said_by(runs: tuple[Run[Fragment], ...]) -> Said:
    """Everything that fragments say."""
    found = [_said(run) for run in runs]
    return Said(**{name: joined(getattr(one, name) for one in found) for name in Said.__struct_fields__})


@memo(RUNS)
def _said(run: Run[Fragment]) -> Said:
    every: dict[str, Any] = {name: joined(getattr(one, name) for one in run.items) for name in _NAMES}
    return Said(**every, parts=tuple(one.part for one in run.items if one.part is not None))


def tables_in(runs: tuple[Run[Fragment], ...]) -> tuple[Run[RouteTable], ...]:
    """The route tables of fragments, cut where the fragments are."""
    found = (_tables(run) for run in runs)
    return tuple(run for run in found if run.items)


def workloads_in(runs: tuple[Run[Fragment], ...]) -> tuple[Run[Workload], ...]:
    """The workloads of fragments, cut where the fragments are."""
    found = (_workloads(run) for run in runs)
    return tuple(run for run in found if run.items)


@memo(RUNS)
def _tables(run: Run[Fragment]) -> Run[RouteTable]:
    return Run(items=_said(run).route_tables)


@memo(RUNS)
def _workloads(run: Run[Fragment]) -> Run[Workload]:
    return Run(items=_said(run).workloads)
