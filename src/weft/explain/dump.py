"""A proxy's resources for people: as Envoy's own JSON, and as a table of the fields one looks for first."""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

# JSON of an Any needs the class inside it: the compiler's imports register every type that it writes.
import weft.compiler.resources  # noqa: F401
from weft._pb.envoy.config.core.v3.health_check_pb2 import HealthStatus
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft.compiler.resource import Resources
from weft.explain.actions import answer_text, shares_of
from weft.explain.call import Call
from weft.explain.clusters import address_text, discovery_text, endpoints_of, tls_words, transport_of
from weft.explain.configuration import Configuration, configuration_of, http_manager, tcp_proxies
from weft.explain.connection import shares_of_proxy
from weft.explain.entry import address_of
from weft.explain.matching import conditions, joined
from weft.kit.value import Value

_Rows = Iterator[tuple[str, ...]]
_NO_CALL = Call(method="GET", scheme="http", host="", port=None, path="/")


class Dump(Value):
    """One type of a proxy's resources."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def dump_of(resources: Resources, kind: str) -> Dump:
    """The table of ``clusters``, ``endpoints``, ``listeners``, ``routes`` or ``extensions``. Raises ``KeyError``."""
    columns, rows = _TABLES[kind]
    return Dump(columns=columns, rows=tuple(rows(configuration_of(resources))))


def messages_of(resources: Resources, kind: str) -> list[dict[str, Any]]:
    """The resources of a kind as Envoy's JSON, with the field names of the protobuf. Raises ``KeyError``."""
    configuration = configuration_of(resources)
    found: dict[str, dict[str, Message]] = {
        "clusters": dict(configuration.clusters),
        "endpoints": dict(configuration.endpoints),
        "listeners": dict(configuration.listeners),
        "routes": dict(configuration.routes),
        "extensions": dict(configuration.extensions),
    }
    return [MessageToDict(message, preserving_proto_field_name=True) for message in found[kind].values()]


def _clusters(configuration: Configuration) -> _Rows:
    for cluster in configuration.clusters.values():
        direction, port, subset, host = _name_parts(cluster.name)
        tls = tls_words(cluster.transport_socket if cluster.HasField("transport_socket") else None)
        if cluster.transport_socket_matches:
            tls = tls_words(cluster.transport_socket_matches[0].transport_socket)
        yield (host, port, subset, direction, discovery_text(cluster), tls.partition(",")[0])


def _endpoints(configuration: Configuration) -> _Rows:
    for cluster in configuration.clusters.values():
        for endpoint in endpoints_of(configuration, cluster):
            health = HealthStatus.Name(endpoint.health_status).replace("UNKNOWN", "HEALTHY")
            tls = tls_words(transport_of(cluster, endpoint)).partition(",")[0]
            weight = str(endpoint.load_balancing_weight.value or 1)
            yield (address_text(endpoint), health, weight, tls, cluster.name)


def _listeners(configuration: Configuration) -> _Rows:
    for listener in configuration.listeners.values():
        address, port = address_of(listener)
        manager, proxies = http_manager(listener), tcp_proxies(listener)
        if manager is not None:
            routes = configuration.routes_of(manager)
            leads = (
                f"routes {routes.name}" if routes is not None else f"routes {manager.rds.route_config_name} (absent)"
            )
        else:
            leads = ", ".join(_connections(*one) for one in proxies) or "-"
        yield (listener.name, address, str(port), "HTTP" if manager is not None else "TCP", leads)


def _connections(names: tuple[str, ...], proxy: TcpProxy) -> str:
    """Where the connections of some server names go."""
    shares = shares_of_proxy(proxy)
    to = ", ".join(one.cluster if len(shares) == 1 else f"{one.cluster} {one.percent:g} %" for one in shares)
    return f"{' or '.join(names)}: cluster {to}" if names else f"cluster {to}"


def _routes(configuration: Configuration) -> _Rows:
    for routes in configuration.routes.values():
        for host in routes.virtual_hosts:
            domains = ", ".join(host.domains[:3]) + (", ..." if len(host.domains) > 3 else "")
            for route in host.routes:
                yield (routes.name, domains, joined(conditions(route.match)), _action(route))


def _extensions(configuration: Configuration) -> _Rows:
    for one in configuration.extensions.values():
        yield (one.name, one.typed_config.type_url.rpartition("/")[2])


def _action(route: Route) -> str:
    shares = [f"{share.cluster} {share.percent:g} %" for share in shares_of(route, _NO_CALL) if not share.mirror]
    if len(shares) == 1:
        return shares[0].removesuffix(" 100 %")
    return ", ".join(shares) or answer_text(route)


def _name_parts(name: str) -> tuple[str, str, str, str]:
    """Istio's cluster names, ``direction|port|subset|host``; others are hosts."""
    parts = name.split("|")
    if len(parts) != 4:
        return ("-", "-", "-", name)
    direction, port, subset, host = parts
    return (direction, port, subset or "-", host or "-")


_TABLES: dict[str, tuple[tuple[str, ...], Callable[[Configuration], _Rows]]] = {
    "clusters": (("host", "port", "subset", "direction", "type", "tls"), _clusters),
    "endpoints": (("endpoint", "status", "weight", "tls", "cluster"), _endpoints),
    "listeners": (("name", "address", "port", "reads", "leads to"), _listeners),
    "routes": (("routes", "domains", "match", "goes to"), _routes),
    "extensions": (("name", "type"), _extensions),
}
