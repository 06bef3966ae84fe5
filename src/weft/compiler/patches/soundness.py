"""Whether Envoy would take a patched resource: one that it refuses takes everything in it down.

What Envoy checks beyond its API's rules is looked at where patches often go wrong: filters after the one that ends a
chain, chains that nothing ends, and chains that are chosen by the same conditions.
"""

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft.compiler.patches.constraints import broken
from weft.compiler.resource import CLUSTER, LISTENER, ROUTES, Resource

Discovered = Filter | ListenerFilter | HttpFilter
_KINDS: dict[str, type[Message]] = {LISTENER: Listener, ROUTES: RouteConfiguration, CLUSTER: Cluster}
_NETWORK = "envoy.extensions.filters.network."
_HTTP = "envoy.extensions.filters.http."
_LAST_NETWORK = frozenset(
    _NETWORK + name
    for name in (
        "http_connection_manager.v3.HttpConnectionManager",
        "tcp_proxy.v3.TcpProxy",
        "redis_proxy.v3.RedisProxy",
        "echo.v3.Echo",
        "direct_response.v3.Config",
        "thrift_proxy.v3.ThriftProxy",
        "dubbo_proxy.v3.DubboProxy",
        "generic_proxy.v3.GenericProxy",
    )
)
_LAST_HTTP = frozenset(_HTTP + name for name in ("router.v3.Router", "mcp_router.v3.McpRouter"))


def unsound(patched: Resource, extensions: frozenset[str], before: Resource | None = None) -> str:
    """Why Envoy would refuse a resource; "" if nothing is known. What was so ``before`` is not said.

    A filter that waits for an extension by a name that is not among ``extensions`` would never listen.
    """
    kind = _KINDS.get(patched.type_url)
    if kind is None:
        return ""
    message = kind.FromString(patched.body)
    old = kind.FromString(before.body) if before else None
    if isinstance(message, RouteConfiguration) and isinstance(old, RouteConfiguration):
        _keep_changed(message, old)
    found = list(_reasons(message, extensions))
    known = set(_reasons(old, extensions)) if found and old is not None else set()
    return next((one for one in found if one not in known), "")


def _keep_changed(message: RouteConfiguration, old: RouteConfiguration) -> None:
    """Only virtual hosts that changed are looked at: a gateway may have thousands."""
    known: dict[str, VirtualHost] = {one.name: one for one in old.virtual_hosts}
    changed = [one for one in message.virtual_hosts if known.get(one.name) != one]
    names = {one.name for one in changed}
    before = [one for one in old.virtual_hosts if one.name in names]
    for configuration, hosts in ((message, changed), (old, before)):
        del configuration.virtual_hosts[:]
        configuration.virtual_hosts.extend(hosts)


def _reasons(message: Message, extensions: frozenset[str]) -> Iterator[str]:
    yield from (str(one) for one in broken(message))
    if isinstance(message, Listener):
        yield from _listener(message, extensions)


def _listener(listener: Listener, extensions: frozenset[str]) -> Iterator[str]:
    if not listener.filter_chains and not listener.HasField("default_filter_chain") and not _is_udp(listener):
        yield "the listener has no filter chain"
    seen: set[bytes] = set()
    for chain in listener.filter_chains:
        match = chain.filter_chain_match.SerializeToString(deterministic=True)
        if match in seen:
            yield f"two filter chains are chosen by the same conditions{f' ({chain.name})' if chain.name else ''}"
        seen.add(match)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        yield from _chain(chain)
    for one in _discovered(listener):
        if one.config_discovery.config_source.HasField("ads") and one.name not in extensions:
            yield f"no EXTENSION_CONFIG is named {one.name}"


def _discovered(listener: Listener) -> Iterator[Discovered]:
    """Everything that waits for its configuration by name."""
    found: list[Discovered] = list(listener.listener_filters)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        for one in chain.filters:
            found.append(one)
            manager = HttpConnectionManager()
            if one.typed_config.Unpack(manager):
                found += manager.http_filters
    return (one for one in found if one.HasField("config_discovery"))


def _is_udp(listener: Listener) -> bool:
    return listener.HasField("udp_listener_config") or listener.HasField("internal_listener")


def _chain(chain: FilterChain) -> Iterator[str]:
    types = [one.typed_config.type_url.rpartition("/")[2] for one in chain.filters]
    yield from _order([one.name for one in chain.filters], types, _LAST_NETWORK, _NETWORK)
    for one in chain.filters:
        manager = HttpConnectionManager()
        if one.typed_config.Unpack(manager):
            kinds = [http.typed_config.type_url.rpartition("/")[2] for http in manager.http_filters]
            yield from _order([http.name for http in manager.http_filters], kinds, _LAST_HTTP, _HTTP)
            if not manager.http_filters:
                yield "a connection manager has no router"


def _order(names: Sequence[str], types: Sequence[str], last: frozenset[str], known: str) -> Iterator[str]:
    """A filter that ends a chain stands at its end, and one does."""
    for name, kind in list(zip(names, types, strict=True))[:-1]:
        if kind in last:
            yield f"the filter {name} must be the last"
    if types and types[-1].startswith(known) and types[-1] not in last:
        yield f"the filter {names[-1]} cannot be the last"
