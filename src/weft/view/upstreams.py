"""One service as a caller reaches it: a cluster and a set of endpoints for each port and subset.

A pure function of values, remembered: a change elsewhere in the mesh costs a look-up here.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Labels, Value, first, includes
from weft.model.identity import Identity
from weft.model.peer import PeerRules
from weft.model.reporting import peer_of
from weft.model.security import MtlsMode
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.settings import Settings
from weft.model.traffic import (
    Balancing,
    ClientTls,
    ConnectionPool,
    DestinationPolicy,
    DestinationTls,
    LoadBalancer,
    MeshMutual,
    Subset,
    TlsMode,
    TrafficPolicy,
)
from weft.model.workload import Workload
from weft.view.locality import Candidate, Vantage, placed
from weft.view.policy import traffic_policy, with_defaults
from weft.view.service_policy import asked_by
from weft.view.view import Endpoint, EndpointSet, MeshTls, Target, Upstream

_BY_NAME = (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)


class Supply(Value):
    """A service with the workloads that answer for it (its inline endpoints among them) and their namespace's rules."""

    service: Service
    workloads: tuple[Workload, ...]
    peers: PeerRules = PeerRules()


class Reach(Value):
    """The clusters of one service and what is behind them."""

    upstreams: tuple[Upstream, ...] = ()
    endpoints: tuple[EndpointSet, ...] = ()


@memo(16384)
def reach_of(
    supply: Supply,
    rule: DestinationPolicy | None,
    settings: Settings,
    vantage: Vantage | None = None,
    packets: bool = False,
) -> Reach:
    """Every port of the service, as a whole and by subset, seen from where the caller is: of TCP, or (``packets``) of
    UDP."""
    upstreams: list[Upstream] = []
    endpoints: list[EndpointSet] = []
    subsets: tuple[Subset | None, ...] = (None, *(rule.subsets if rule else ()))
    for port in supply.service.ports:
        if (port.protocol is Protocol.UDP) != packets:
            continue
        for subset in subsets:
            policy = with_defaults(asked_by(supply.service, traffic_policy(rule, port.number, subset)), settings)
            upstream = _upstream(supply, port, subset, policy, settings)
            found = placed(_candidates(supply, port, subset, upstream), policy, vantage)
            if upstream.resolution is Resolution.STATIC:
                upstreams.append(upstream)
                endpoints.append(EndpointSet(target=upstream.target, endpoints=found.endpoints, shares=found.shares))
            else:
                upstreams.append(replace(upstream, hosts=found.endpoints, shares=found.shares))
    return Reach(upstreams=tuple(upstreams), endpoints=tuple(endpoints))


def resolution_of(service: Service, policy: TrafficPolicy) -> Resolution:
    """How a service's endpoints are found under a policy: PASSTHROUGH goes where the caller said, as NONE does."""
    balancer = policy.load_balancer
    if balancer is not None and balancer.algorithm is Balancing.PASSTHROUGH:
        return Resolution.NONE
    return service.resolution


def _upstream(supply: Supply, port: Port, subset: Subset | None, policy: TrafficPolicy, settings: Settings) -> Upstream:
    target = Target(host=supply.service.host, port=port.number, subset=subset.name if subset else "")
    pool = policy.connection_pool or ConnectionPool()
    resolution = resolution_of(supply.service, policy)
    return Upstream(
        target=target,
        protocol=port.protocol,
        resolution=resolution,
        http2=_speaks_http2(supply, port, pool, policy.tls or port.tls, settings),
        tls=_tls(supply, port, target, policy.tls, settings),
        load_balancer=policy.load_balancer or LoadBalancer(),
        connection_pool=pool,
        connect_timeout=settings.connect_timeout if pool.connect_timeout is None else pool.connect_timeout,
        dns_refresh=settings.dns_refresh,
        outlier_detection=policy.outlier_detection,
        retry_budget=policy.retry_budget,
        proxy_protocol=policy.proxy_protocol,
        sniffed=port.sniffed,
        health_check=port.health_check,
    )


def _has_names(service: Service, port: Port, resolution: Resolution) -> bool:
    """Whether names are resolved: also TCP to a host without endpoints, whose name is all that is known of it."""
    if resolution is Resolution.NONE:
        return not port.protocol.is_http and not service.host.startswith("*") and service.resolution is resolution
    return resolution in _BY_NAME


def _speaks_http2(
    supply: Supply, port: Port, pool: ConnectionPool, tls: DestinationTls | None, settings: Settings
) -> bool:
    """What is spoken to the endpoints: a cluster speaks one protocol, so HTTP/2 needs a sidecar at every one.

    All workloads of the service count, unhealthy ones and other subsets' too, and a service of the mesh without any
    counts as having sidecars, so that the protocol does not flap as workloads come and go.
    """
    if port.protocol.is_http2:
        return True
    if port.protocol is not Protocol.HTTP or pool.use_client_protocol:
        return False
    upgrade = settings.upgrade if pool.upgrade is None else pool.upgrade
    if upgrade is not None:
        return upgrade
    if isinstance(tls, ClientTls):
        return False
    if _is_mesh_mutual(tls):
        return True
    return not supply.service.external and _in_mesh(supply.service) and all(one.meshed for one in supply.workloads)


def _in_mesh(service: Service) -> bool:
    return service.resolution is Resolution.STATIC


def _tls(
    supply: Supply, port: Port, target: Target, mode: DestinationTls | None, settings: Settings
) -> MeshTls | ClientTls | None:
    if port.protocol is Protocol.UDP:
        return None
    if isinstance(mode, ClientTls):
        return _own_tls(supply.service, port, mode, settings)
    if mode is None and port.tls is not None:
        return port.tls
    always = _is_mesh_mutual(mode)
    automatic = mode is None and settings.auto_mtls and not supply.service.external and _in_mesh(supply.service)
    if not always and not automatic:
        return None
    own = mode if isinstance(mode, MeshMutual) else MeshMutual()
    return MeshTls(
        identities=own.subject_alt_names or _identities(supply, settings),
        sni=own.sni or f"outbound_.{target.port}_.{target.subset}_.{target.host}",
        always=always,
    )


def _is_mesh_mutual(tls: DestinationTls | None) -> bool:
    return tls is TlsMode.ISTIO_MUTUAL or isinstance(tls, MeshMutual)


def _own_tls(service: Service, port: Port, tls: ClientTls, settings: Settings) -> ClientTls:
    """The rule's names, else the service's. Without any, requests tell the name, and what is no HTTP has the host's.

    A name that the rule asks for by SNI is the server's, unless other names are given. Where the mesh does not verify
    servers, only a rule that names authorities does.
    """
    verified = tls.verified and (settings.verify_servers or bool(tls.authorities))
    host = "" if port.protocol.is_http or service.host.startswith("*") else service.host
    sni = tls.sni or host
    names = tls.subject_alt_names or service.subject_alt_names
    return replace(tls, sni=sni, subject_alt_names=names or ((sni,) if sni else ()), verified=verified)


def _identities(supply: Supply, settings: Settings) -> tuple[str, ...]:
    """The SPIFFE IDs of all workloads, healthy or not, and the names that the service itself states."""
    accounts = {(one.namespace, one.account) for one in supply.workloads if one.account}
    made = {
        Identity(trust_domain=domain, namespace=space, account=name).uri
        for domain in (settings.trust_domain, *settings.trust_domain_aliases)
        for space, name in accounts
    }
    return tuple(sorted(made | set(supply.service.subject_alt_names)))


def _candidates(supply: Supply, port: Port, subset: Subset | None, upstream: Upstream) -> tuple[Candidate, ...]:
    """Addresses that answer, or names to resolve, by place."""
    if upstream.resolution is not Resolution.STATIC and not _has_names(supply.service, port, upstream.resolution):
        return ()
    if upstream.resolution is not Resolution.STATIC and not supply.workloads:
        return (Candidate(endpoint=_itself(supply.service, port)),)
    found = sorted(_answering(supply, port, subset), key=_place)
    return tuple(found[:1] if supply.service.resolution is Resolution.DNS_ROUND_ROBIN else found)


def _itself(service: Service, port: Port) -> Endpoint:
    """The service's own host, where nothing else is known of it."""
    return Endpoint(address=service.host, port=port.target if isinstance(port.target, int) else port.number)


def _answering(supply: Supply, port: Port, subset: Subset | None) -> Iterator[Candidate]:
    for workload in _selected(supply, subset):
        called = workload.healthy or supply.service.unready_too
        endpoint = _endpoint(supply, workload, port) if called else None
        if endpoint is not None:
            yield Candidate(endpoint=endpoint, labels=workload.labels, network=workload.network)


def _place(candidate: Candidate) -> tuple[str, str, int, str]:
    endpoint = candidate.endpoint
    return (endpoint.locality, endpoint.address, endpoint.port, endpoint.workload)


def _endpoint(supply: Supply, workload: Workload, port: Port) -> Endpoint | None:
    number = port_of(workload, port)
    if number is None:
        return None
    target = port.target if isinstance(port.target, int) else port.number
    mode = supply.peers.mode_of(workload.labels, (target, number))
    return Endpoint(
        address=workload.address,
        port=number,
        weight=workload.weight or 1,
        locality=workload.locality,
        meshed=workload.meshed and mode is not MtlsMode.DISABLE,
        workload=workload.name,
        peer=_peer(workload.name, workload.namespace, workload.labels),
    )


@memo(16384)
def _peer(name: str, namespace: str, labels: Labels) -> str:
    return peer_of(name, namespace, labels).text


def port_of(workload: Workload, port: Port) -> int | None:
    """The number at which a workload answers a service's port; ``None`` when it lacks the named target."""
    named = dict(workload.ports)
    if port.name in named:
        return named[port.name]
    if isinstance(port.target, str):
        return named.get(port.target)
    return port.number if port.target is None else port.target


def _selected(supply: Supply, subset: Subset | None) -> tuple[Workload, ...]:
    if subset is None:
        return supply.workloads
    return tuple(one for one in supply.workloads if includes(one.labels, subset.labels))


def subset_of(rule: DestinationPolicy | None, name: str) -> Subset | None:
    """A rule's subset by name."""
    return first(subset for subset in rule.subsets if subset.name == name) if rule and name else None
