"""Where connections to the application come in that the host's rules turn to its sidecar: one listener for all ports.

Each port has the chains that a port of its own would have. Connections go on to the very address that they were sent
to, with a mark or from ``127.0.0.6`` (``::6``), by which the host's rules know them. Source: Istio's ``virtualInbound``
and ``InboundPassthroughCluster``.
"""

from collections.abc import Iterable

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import TrafficDirection
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import (
    FilterChain,
    FilterChainMatch,
    ListenerFilterChainMatchPredicate,
)
from weft._pb.envoy.config.listener.v3.listener_pb2 import AdditionalAddress, Listener
from weft._pb.envoy.type.v3.range_pb2 import Int32Range
from weft.compiler.captured.chains import OnMatch, by_port, callers, chain
from weft.compiler.listeners import inspectors, mutual_chain, original_destination, plain_chain, tcp_proxy
from weft.compiler.names import BLACK_HOLE_CLUSTER, CAPTURED_INBOUND, inbound_cluster_name, statistics_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.wire import BUFFER_LIMIT, milliseconds, number, serialized, socket
from weft.kit.memo import memo
from weft.model.security import MtlsMode
from weft.model.traffic import ConnectionPool
from weft.view.view import Captured, InboundPort

_CLOSED = "blackhole"
Ports = tuple[InboundPort, ...]


def captured_inbound(captured: Captured, ports: Ports, trust_domain: str) -> Resource:
    """The listener of all ports of an application."""
    places = (captured.inbound, captured.outbound)
    return _listener(places, captured.families, (*ports, *captured.strangers), trust_domain)


@memo(4096)
def _listener(places: tuple[int, int], families: tuple[str, ...], ports: Ports, trust_domain: str) -> Resource:
    """``places``: its own port first, and that of the way out, to neither of which a connection can go on."""
    here = places[0]
    listener = Listener(
        name=CAPTURED_INBOUND,
        stat_prefix=statistics_name(CAPTURED_INBOUND),
        address=socket(families[0], here),
        additional_addresses=[AdditionalAddress(address=socket(one, here)) for one in families[1:]],
        traffic_direction=TrafficDirection.INBOUND,
        per_connection_buffer_limit_bytes=number(BUFFER_LIMIT),
        enable_reuse_port=BoolValue(value=False),
    )
    closed = tcp_proxy(_CLOSED, [(BLACK_HOLE_CLUSTER, 1)], ConnectionPool())
    chains = [FilterChain(name=_CLOSED, filters=[closed])]
    ways: dict[int, OnMatch] = {}
    for port in ports:
        if port.captured is not None and port.captured not in ways:
            made, ways[port.captured] = _chains(port, trust_domain)
            chains += made
    rest = ways.pop(0)
    ways |= dict.fromkeys(places, chain(_CLOSED))
    listener.filter_chains.extend(chains)
    listener.filter_chain_matcher.CopyFrom(by_port(ways, rest))
    listener.listener_filters.append(original_destination())
    _look(listener, ports)
    return resource(LISTENER, CAPTURED_INBOUND, serialized(listener))


def _chains(port: InboundPort, trust_domain: str) -> tuple[list[FilterChain], OnMatch]:
    """A port's chains, and which of them takes a connection."""
    name, nothing = inbound_cluster_name(port), FilterChainMatch()
    mutual, plain, closed = f"{name}mutual", f"{name}plain", chain(_CLOSED)
    secure, bare = mutual_chain(port, trust_domain, nothing), plain_chain(port, nothing)
    secure.name, bare.name = mutual, plain
    match port.mtls:
        case MtlsMode.STRICT:
            return [secure], chain(mutual)
        case MtlsMode.DISABLE:
            return [bare], chain(plain)
        case MtlsMode.PERMISSIVE:
            tls = closed if port.protocol.is_http else chain(plain)
            return [secure, bare], callers(chain(mutual), chain(plain), tls)


def _look(listener: Listener, ports: Iterable[InboundPort]) -> None:
    """At the first bytes, but not where no certificate is asked for: there the server may speak first."""
    bare = sorted({port.captured or 0 for port in ports if port.mtls is MtlsMode.DISABLE})
    everywhere = 0 in bare
    chosen = sorted({port.captured or 0 for port in ports} - {*bare}) if everywhere else bare
    for one in inspectors(requests=False):
        if everywhere and not chosen:
            continue
        if chosen:
            among = _among(chosen)
            one.filter_disabled.CopyFrom(ListenerFilterChainMatchPredicate(not_match=among) if everywhere else among)
        listener.listener_filters.append(one)
    norms = next(iter(ports)).norms
    listener.listener_filters_timeout.CopyFrom(milliseconds(norms.inspection_timeout))
    listener.continue_on_listener_filters_timeout = True


def _among(numbers: list[int]) -> ListenerFilterChainMatchPredicate:
    rules = [
        ListenerFilterChainMatchPredicate(destination_port_range=Int32Range(start=one, end=one + 1)) for one in numbers
    ]
    if len(rules) == 1:
        return rules[0]
    return ListenerFilterChainMatchPredicate(or_match=ListenerFilterChainMatchPredicate.MatchSet(rules=rules))
