"""Which filter chain of a listener takes a connection, by Envoy's matching API: a tree of questions to names of chains.

Every question ends in an answer, so that nothing falls through to a chain that was not meant. A listener whose chains
and questions change keeps the connections of the chains that stay.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from google.protobuf.wrappers_pb2 import StringValue

from weft._pb.envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import (
    ApplicationProtocolInput,
    DestinationPortInput,
    TransportProtocolInput,
)
from weft._pb.envoy.extensions.matching.input_matchers.ip.v3.ip_pb2 import Ip
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access import inputs
from weft.compiler.access.predicates import Predicate, Truth, all_of, any_of, custom, extension, text
from weft.compiler.wire import subnet

OnMatch = Matcher.OnMatch
_PORT = extension("destination_port", DestinationPortInput())
_TRANSPORT = extension("transport_protocol", TransportProtocolInput())
_PROTOCOLS = extension("application_protocol", ApplicationProtocolInput())
_REQUESTS = all_of(
    [
        text(_TRANSPORT, StringMatcher(exact="raw_buffer")),
        any_of(text(_PROTOCOLS, StringMatcher(contains=one)) for one in ("'http/1.", "'h2c'")),
    ]
)
_OF_THE_MESH = text(_PROTOCOLS, StringMatcher(contains="'istio"))
"""Only sidecars offer protocols whose names begin so."""


def chain(name: str) -> OnMatch:
    """The end of the questions: a chain."""
    return OnMatch(action=extension(name, StringValue(value=name)))


def by_port(ports: Mapping[int, OnMatch], otherwise: OnMatch) -> Matcher:
    """By the port that the connection was sent to."""
    return _exactly(_PORT, {str(port): one for port, one in ports.items()}, otherwise)


def by_address(places: Mapping[str, OnMatch], otherwise: OnMatch) -> OnMatch:
    """By the address that the connection was sent to, or the narrowest subnet that it is in."""
    single = {str(ip_address(place)): one for place, one in places.items() if "/" not in place}
    subnets = sorted((ip_network(place, strict=False) for place in places if "/" in place), key=_bits, reverse=True)
    known = {ip_network(place, strict=False): one for place, one in places.items() if "/" in place}
    if subnets:
        otherwise = OnMatch(matcher=_first([(_inside(one), known[one]) for one in subnets], otherwise))
    return OnMatch(matcher=_exactly(inputs.OWN_ADDRESS, single, otherwise)) if single else otherwise


def by_name(names: Mapping[str, OnMatch], otherwise: OnMatch) -> OnMatch:
    """By the server name that a TLS client asks for; ``*.example.com`` is every name under it."""
    if not names:
        return otherwise
    single = {name: one for name, one in names.items() if not name.startswith("*")}
    wide = sorted((name for name in names if name.startswith("*")), key=lambda name: (-len(name), name))
    named = otherwise
    if wide:
        ways = [(text(inputs.SERVER_NAME, StringMatcher(suffix=name[1:])), names[name]) for name in wide]
        named = OnMatch(matcher=_first(ways, otherwise))
    if single:
        named = OnMatch(matcher=_exactly(inputs.SERVER_NAME, single, named))
    return OnMatch(matcher=_exactly(_TRANSPORT, {"tls": named}, otherwise))


def requests_or(requests: OnMatch, otherwise: OnMatch) -> OnMatch:
    """Plaintext in which HTTP was found, or anything else."""
    return OnMatch(matcher=_first([(_REQUESTS, requests)], otherwise))


def callers(mesh: OnMatch, plain: OnMatch, tls: OnMatch) -> OnMatch:
    """Sidecars, plaintext, and other people's TLS."""
    secure = OnMatch(matcher=_first([(_OF_THE_MESH, mesh)], tls))
    return OnMatch(matcher=_exactly(_TRANSPORT, {"tls": secure}, plain))


def _first(ways: Sequence[tuple[Truth, OnMatch]], otherwise: OnMatch) -> Matcher:
    found = Matcher(on_no_match=otherwise)
    for predicate, one in ways:
        assert isinstance(predicate, Predicate)
        found.matcher_list.matchers.add(predicate=predicate, on_match=one)
    return found


def _exactly(source: TypedExtensionConfig, ways: Mapping[str, OnMatch], otherwise: OnMatch) -> Matcher:
    found = Matcher(on_no_match=otherwise)
    found.matcher_tree.input.CopyFrom(source)
    for key, one in sorted(ways.items()):
        found.matcher_tree.exact_match_map.map[key].CopyFrom(one)
    return found


def _inside(network: IPv4Network | IPv6Network) -> Predicate:
    config = Ip(cidr_ranges=[subnet(str(network))], stat_prefix="captured")
    return custom(inputs.OWN_ADDRESS, extension("ip", config))


def _bits(network: IPv4Network | IPv6Network) -> int:
    return network.prefixlen
