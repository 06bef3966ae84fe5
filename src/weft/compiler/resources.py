"""A view as a proxy's resources. What proxies share is made once; names are unique and sorted."""

from weft.compiler.clusters import cluster_resource, inbound_cluster_resource, passthrough_cluster_resource
from weft.compiler.endpoints import endpoints_resource
from weft.compiler.listeners import http_proxy_listener, inbound_listener, upstream_listener
from weft.compiler.resource import Resource, Resources
from weft.compiler.routes import http_proxy_routes, upstream_routes
from weft.kit.memo import memo
from weft.model.traffic import ConnectionPool
from weft.view.view import Outbound, View


@memo(4096)
def resources_of(view: View) -> Resources:
    """Everything that one proxy is sent; equal views give equal bytes."""
    found = [*_shared(view.outbound, view.trust_domain), *_inbound(view), *_outbound_ports(view)]
    unique = {(one.type_url, one.name): one for one in reversed(found)}
    return Resources(resources=tuple(unique[key] for key in sorted(unique)))


@memo(256)
def _shared(outbound: Outbound, trust_domain: str) -> tuple[Resource, ...]:
    """The clusters and endpoints of a scope."""
    clusters = tuple(cluster_resource(upstream, trust_domain) for upstream in outbound.upstreams)
    return clusters + tuple(endpoints_resource(one) for one in outbound.endpoints)


def _inbound(view: View) -> list[Resource]:
    clusters = [inbound_cluster_resource(port) for port in view.inbound]
    return clusters + [inbound_listener(port, view.trust_domain) for port in view.inbound]


def _outbound_ports(view: View) -> list[Resource]:
    found: list[Resource] = []
    if (proxy := view.http_proxy) is not None:
        found += [http_proxy_listener(proxy), http_proxy_routes(view.outbound.virtual_hosts, proxy.allow_any)]
        found += [passthrough_cluster_resource()] if proxy.allow_any else []
    by_place = {(host.host, host.port): host for host in view.outbound.virtual_hosts}
    pools = {upstream.target: upstream.connection_pool for upstream in view.outbound.upstreams}
    for port in view.upstream_ports:
        found.append(upstream_listener(port, pools.get(port.target, ConnectionPool())))
        if port.protocol.is_http:
            found.append(upstream_routes(port.target, by_place.get((port.target.host, port.target.port))))
    return found
