"""A gateway's connections that are passed on as bytes: by rules, or by the cluster that a sidecar asks for.

With AUTO_PASSTHROUGH the name that a client asks for (SNI) is the one by which sidecars call a cluster:
``outbound_.9080_.v1_.reviews.shop.svc.cluster.local``. Its TLS is passed on to the endpoints that speak the mesh's TLS.
Source: Istio ``ServerTLSSettings.AUTO_PASSTHROUGH``.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.model.gateway import Placed, covers
from weft.model.gateway_connections import Passage, finds_clusters
from weft.model.route import ConnectionRule
from weft.model.service import Protocol
from weft.view.index import MeshIndex
from weft.view.locality import vantage_of
from weft.view.scope import Scope, outbound_of
from weft.view.tunnels import tunnel_to
from weft.view.upstreams import Reach, reach_of
from weft.view.view import NOWHERE, EndpointSet, GatewayChain, Outbound, Passing, Target, Upstream


def server_chain_name(placed: Placed) -> str:
    """``https.edge.shop``."""
    return f"{placed.server.port_name}.{placed.gateway.name}.{placed.gateway.namespace}"


def passing_chain(index: MeshIndex, scope: Scope, passage: Passage) -> GatewayChain:
    """The connections that a rule takes."""
    shares = _shares(index, scope, passage.rule, passage.placed.server.port)
    return GatewayChain(
        name=server_chain_name(passage.placed),
        to=Passing(shares=shares, tunnel=tunnel_to(index, scope, shares), written=passage.rule.written),
        server_names=passage.names,
        sources=passage.sources,
        tls=passage.placed.server.tls,
    )


def default_chain(placed: Placed, target: Target, names: tuple[str, ...]) -> GatewayChain:
    """The connections that no rule takes, for an endpoint of the gateway's own host."""
    return GatewayChain(
        name=server_chain_name(placed),
        to=Passing(shares=((target, 1),)),
        server_names=names,
        tls=placed.server.tls,
    )


def _shares(index: MeshIndex, scope: Scope, rule: ConnectionRule, port: int) -> tuple[tuple[Target, int], ...]:
    services = index.seen_by(scope).services
    shares = tuple(
        (
            NOWHERE if backend.broken else index.resolve(scope.caller, backend.destination, port, services).target,
            backend.weight,
        )
        for backend in rule.backends
    )
    return tuple(share for share in shares if share[1]) or shares[:1]


def sealed_chains(placed: Placed, outbound: Outbound) -> Iterator[GatewayChain]:
    """A chain for each cluster that a server is for."""
    for upstream in outbound.upstreams:
        target = upstream.target
        if target.sealed and _is_for(placed, target.host):
            yield GatewayChain(
                name=server_chain_name(placed),
                to=Passing(shares=((target, 1),)),
                server_names=(f"outbound_.{target.port}_.{target.subset}_.{target.host}".lower(),),
                tls=placed.server.tls,
            )


def outbound_of_gateway(index: MeshIndex, scope: Scope, servers: Iterable[Placed]) -> Outbound:
    """What a gateway can call; clusters that get sidecars' own TLS are there a second time, for that."""
    found = _with_packets(index, scope, servers)
    automatic = [placed for placed in servers if finds_clusters(placed.server)]
    if not automatic:
        return found
    services = index.seen_by(scope).services
    inside = {
        host
        for host, service in services.items()
        if not service.external and any(_is_for(placed, host) for placed in automatic)
    }
    return replace(
        found,
        upstreams=(*found.upstreams, *(_sealed(one) for one in found.upstreams if one.target.host in inside)),
        endpoints=(*found.endpoints, *(_meshed(one) for one in found.endpoints if one.target.host in inside)),
    )


def _with_packets(index: MeshIndex, scope: Scope, servers: Iterable[Placed]) -> Outbound:
    """Services of UDP too, where a port leads there; only gateways pass packets on."""
    found = outbound_of(index.mesh, scope)
    if not any(placed.server.protocol is Protocol.UDP for placed in servers):
        return found
    services, settings = index.seen_by(scope).services, index.mesh.settings
    reached: list[Reach] = []
    for service in services.values():
        if any(port.protocol is Protocol.UDP for port in service.ports):
            rule = index.policy_of(scope.caller, service.host, services)
            vantage = vantage_of(rule, scope, settings, service)
            reached.append(reach_of(index.supply_of(service), rule, settings, vantage, True))
    return replace(
        found,
        upstreams=(*found.upstreams, *(one for reach in reached for one in reach.upstreams)),
        endpoints=(*found.endpoints, *(one for reach in reached for one in reach.endpoints)),
    )


def _is_for(placed: Placed, host: str) -> bool:
    return any(covers(one.host, host) for one in placed.server.hosts)


def _sealed(upstream: Upstream) -> Upstream:
    target = replace(upstream.target, sealed=True)
    return replace(upstream, target=target, protocol=Protocol.TCP, http2=False, tls=None)


def _meshed(endpoints: EndpointSet) -> EndpointSet:
    """Only a sidecar understands the TLS that comes."""
    return replace(
        endpoints,
        target=replace(endpoints.target, sealed=True),
        endpoints=tuple(one for one in endpoints.endpoints if one.meshed),
    )
