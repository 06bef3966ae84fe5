"""Calls that go to the very address that the caller chose: hosts without known endpoints, pods of headless services.

Only captured connections say where they were sent. Source: Istio's clusters of type ``ORIGINAL_DST``.
"""

from msgspec.structs import replace

from weft.model.route import Destination, Retries
from weft.model.security import MtlsMode
from weft.model.service import Port, Resolution, Service
from weft.view.routes import Resolved, default_route
from weft.view.upstreams import Reach, Supply, port_of
from weft.view.view import MeshTls, Target, Upstream, VirtualHost


def is_headless(service: Service) -> bool:
    """Whether callers find its pods by their own addresses (``clusterIP: None``)."""
    return (
        service.origin.key.kind == "Service"
        and service.resolution is Resolution.STATIC
        and not any(one != "None" for one in service.addresses)
    )


def itself(service: Service, port: Port) -> Target:
    """What stands for the pods of a headless service, each of which is called by itself."""
    return Target(host=f"*.{service.host}", port=port.number)


def directed(supply: Supply, reach: Reach) -> Reach:
    """The clusters of a service as captured callers reach them."""
    upstreams = tuple(_goes_on(one) if one.resolution is Resolution.NONE else one for one in reach.upstreams)
    if not is_headless(supply.service):
        return replace(reach, upstreams=upstreams)
    pods = (_pods(supply, one) for one in reach.upstreams if not one.target.subset)
    return replace(reach, upstreams=(*upstreams, *pods))


def _goes_on(upstream: Upstream) -> Upstream:
    return replace(upstream, direct=True, hosts=())


def _pods(supply: Supply, upstream: Upstream) -> Upstream:
    """Mutual TLS where every pod takes it; nothing tells one address from another."""
    target = replace(upstream.target, host=f"*.{upstream.target.host}")
    tls = upstream.tls
    if isinstance(tls, MeshTls) and not tls.always:
        port = supply.service.port(upstream.target.port)
        tls = replace(tls, always=True) if port and _all_meshed(supply, port) else None
    return replace(
        upstream, target=target, resolution=Resolution.NONE, direct=True, tls=tls, hosts=(), outlier_detection=None
    )


def _all_meshed(supply: Supply, port: Port) -> bool:
    pods = supply.workloads
    modes = (supply.peers.mode_of(one.labels, (port_of(one, port) or port.number,)) for one in pods)
    return bool(pods) and all(one.meshed for one in pods) and MtlsMode.DISABLE not in modes


def pod_hosts(service: Service, retries: Retries, suffix: str) -> tuple[VirtualHost, ...]:
    """The hosts of a headless service's pods: ``db-0.db.shop.svc.cluster.local``, ``db-0.db.shop``."""
    if not is_headless(service):
        return ()
    host = f"*.{service.host}"
    short = service.host.removesuffix(f".svc.{suffix}")
    domains = tuple(dict.fromkeys((host, f"*.{short}.svc", f"*.{short}")))
    found = []
    for port in service.ports:
        if port.protocol.is_http or port.sniffed:
            target = Target(host=host, port=port.number)
            destination = Destination(host=host, port=port.number)
            resolved = Resolved(destination=destination, target=target, grpc=port.protocol.is_grpc)
            route = default_route(resolved, retries)
            found.append(VirtualHost(host=host, port=port.number, domains=domains, routes=(route,)))
    return tuple(found)
