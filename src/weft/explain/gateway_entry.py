"""Where a client's call enters a gateway: the listener of its port and, for TLS, the chain of the name it asks for."""

from collections.abc import Iterator

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.route_pb2 import Route
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from weft._pb.envoy.extensions.matching.input_matchers.consistent_hashing.v3.consistent_hashing_pb2 import (
    ConsistentHashing,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft.explain.actions import Share
from weft.explain.call import Call, State, Step

GATEWAY = "gateway_"
_DEFAULT_PORTS = {"http": 80, "grpc": 80, "https": 443, "tls": 443}
_ENCRYPTED = ("https", "tls")
_SHOWN_NAMES = 12
_KEPT = "://"
"""What names of Secrets have; certificates of the mesh and of files are named otherwise."""


def gateway_entry(listeners: list[Listener], call: Call) -> tuple[Listener | None, Step]:
    """The listener with the one chain that takes the call; ports are those that documents name."""
    port = call.port or _DEFAULT_PORTS.get(call.scheme, 0)
    listener = next((one for one in listeners if one.name.rpartition("_")[2] == str(port)), None)
    if listener is None:
        opened = ", ".join(one.name.rpartition("_")[2] for one in listeners)
        return None, _failed(f"the gateway does not open port {port}", f"it opens {opened}")
    chain, refusal = _entered_chain(listener, call, port)
    if chain is None:
        return None, refusal
    entered = Listener()
    entered.CopyFrom(listener)
    del entered.filter_chains[:]
    entered.filter_chains.append(chain)
    socket = listener.address.socket_address
    what = f"{listener.name} on {socket.address}:{socket.port_value}"
    details = (*_details(chain), *_sources(listener, chain))
    return entered, Step(name="listener", what=what, details=details, about=f"{GATEWAY}{port}")


def packets_entry(listeners: list[Listener], call: Call) -> tuple[Listener | None, Step]:
    """A gateway's port of UDP that passes packets on."""
    for one in listeners:
        if udp_shares(one) and one.name.rpartition("_")[2] == str(call.port):
            socket = one.address.socket_address
            what = f"{one.name} on UDP {socket.address}:{socket.port_value}"
            return one, Step(name="listener", what=what, about=f"{GATEWAY}{call.port}")
    return None, _failed(f"no gateway passes on packets of the UDP port {call.port}")


def udp_shares(listener: Listener) -> tuple[Share, ...]:
    """Where a listener's packets go; none for those that have none."""
    proxy = UdpProxyConfig()
    for one in listener.listener_filters:
        if one.typed_config.Unpack(proxy):
            return tuple(_udp_shares(proxy.matcher))
    return ()


def _udp_shares(matcher: Matcher) -> Iterator[Share]:
    """Those that a hash is shared out to, the highest remainders first; what is left is the first cluster's."""
    left = 1.0
    shares = []
    for field in matcher.matcher_list.matchers:
        hashed = ConsistentHashing()
        field.predicate.single_predicate.custom_match.typed_config.Unpack(hashed)
        begin = hashed.threshold / hashed.modulo
        shares.append(Share(cluster=_cluster(field.on_match), percent=100.0 * (left - begin)))
        left = begin
    yield Share(cluster=_cluster(matcher.on_no_match), percent=100.0 * left)
    yield from reversed(shares)


def _cluster(way: Matcher.OnMatch) -> str:
    route = Route()
    way.action.typed_config.Unpack(route)
    return route.cluster


def _entered_chain(listener: Listener, call: Call, port: int) -> tuple[FilterChain | None, Step]:
    encrypted = any(_is_tls(chain) for chain in listener.filter_chains)
    if encrypted != (call.scheme in _ENCRYPTED):
        speaks = "TLS" if encrypted else "plaintext"
        return None, _failed(f"port {port} of the gateway speaks {speaks}, the call {call.scheme}")
    chain = _chain(listener, call.host)
    names = sorted(name for one in listener.filter_chains for name in one.filter_chain_match.server_names)
    return chain, _failed(f"no server of port {port} has the name {call.host}", f"known are {_few(names)}")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _is_tls(chain: FilterChain) -> bool:
    return chain.filter_chain_match.transport_protocol == "tls"


def _chain(listener: Listener, host: str) -> FilterChain | None:
    """Envoy's order for server names: exact, the longest wildcard, any. An imagined client comes from anywhere."""
    ranked = [
        ((rank, not chain.filter_chain_match.source_prefix_ranges), chain)
        for chain in listener.filter_chains
        if (rank := _rank(chain, host)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rank(chain: FilterChain, host: str) -> int | None:
    names = chain.filter_chain_match.server_names
    if not names:
        return 0
    fitting = [name for name in names if name == host or (name.startswith("*.") and host.endswith(name[1:]))]
    return max((len(name) + (1000 if name == host else 0) for name in fitting), default=None)


def _details(chain: FilterChain) -> tuple[str, ...]:
    if chain.filter_chain_match.application_protocols:
        return ("the TLS of the mesh's sidecars, of nobody else, is passed on",)
    if not chain.HasField("transport_socket"):
        return ("the client's TLS is passed on" if _is_tls(chain) else "the client connects in plaintext",)
    context = DownstreamTlsContext()
    chain.transport_socket.typed_config.Unpack(context)
    found = [f"TLS of the server {chain.name}"]
    names = [one.name for one in context.common_tls_context.tls_certificate_sds_secret_configs]
    found += [f"by the certificate {name}" for name in names if _KEPT in name]
    if context.require_client_certificate.value:
        found.append("the client must show a certificate")
    elif context.common_tls_context.HasField("combined_validation_context"):
        found.append("the client may show a certificate")
    return tuple(found)


def _sources(listener: Listener, chosen: FilterChain) -> Iterator[str]:
    """Where the clients of a chain come from, and that those from elsewhere have another one."""
    if ranges := _ranges(chosen):
        yield f"for clients from {ranges}"
    others = [ranges for chain in listener.filter_chains if chain is not chosen and (ranges := _ranges(chain))]
    if others:
        yield f"clients from {', '.join(others)} have rules of their own"


def _ranges(chain: FilterChain) -> str:
    return ", ".join(
        f"{one.address_prefix}/{one.prefix_len.value}" for one in chain.filter_chain_match.source_prefix_ranges
    )


def _failed(what: str, *details: str) -> Step:
    return Step(name="listener", what=what, state=State.FAILED, details=details)
