"""Where a captured call enters its sidecar: the listener of its port, and of its chains the one that takes the call.

The questions by which Envoy chooses are asked again, with what an imagined call says. Its address is the one that the
mesh gives to the host that it names.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from google.protobuf.wrappers_pb2 import StringValue

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.matching.input_matchers.ip.v3.ip_pb2 import Ip
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.names import CAPTURED_OUTBOUND, captured_listener_name
from weft.explain.call import Call, State, Step
from weft.explain.configuration import Configuration

_PORTS = {"http": 80, "https": 443, "grpc": 80, "tls": 443}
_TLS = ("https", "tls")
_Predicate = Matcher.MatcherList.Predicate


class _Facts(NamedTuple):
    """What Envoy's inputs say of a connection."""

    address: str
    server_name: str
    transport: str
    protocols: str


def captured_entry(configuration: Configuration, call: Call) -> tuple[Listener | None, Step]:
    """A listener with the one chain that takes the call, and why it is this."""
    entrance = configuration.listeners[CAPTURED_OUTBOUND]
    port = call.port or _PORTS.get(call.scheme, 0)
    listener = configuration.listeners.get(captured_listener_name(port))
    if listener is None:
        what = f"{entrance.name}: captured, and nothing in the mesh has port {port}"
        return _with(entrance, entrance.default_filter_chain), _step(entrance, what)
    facts = _facts(listener, call)
    taken = _answer(listener.filter_chain_matcher, facts)
    found = next((one for one in listener.filter_chains if one.name == taken), None)
    if found is None:
        what = f"{listener.name}: no chain takes the connection, so it is closed"
        return None, Step(name="listener", what=what, state=State.FAILED, about=listener.name)
    where = f"{facts.address}:{port}" if facts.address else f"port {port}"
    return _with(listener, found), _step(listener, f"captured on its way to {where}, taken by {found.name}")


def _with(listener: Listener, chain: FilterChain) -> Listener:
    made = Listener(name=listener.name)
    made.filter_chains.add().CopyFrom(chain)
    return made


def _step(listener: Listener, what: str) -> Step:
    details = ("the host's rules turn connections to the sidecar",)
    return Step(name="listener", what=what, details=details, about=listener.name)


def _facts(listener: Listener, call: Call) -> _Facts:
    tls = call.scheme in _TLS
    return _Facts(
        address=_address(listener, call),
        server_name=call.host.lower() if tls else "",
        transport="tls" if tls else "raw_buffer",
        protocols="" if tls or call.scheme == "tcp" else "'http/1.1'",
    )


def _address(listener: Listener, call: Call) -> str:
    """The address that is called: named itself, or the one that leads to a chain of the host."""
    try:
        return str(ip_address(call.host))
    except ValueError:
        matcher = listener.filter_chain_matcher
        found = matcher.matcher_tree.exact_match_map.map if _asks(matcher) == "DestinationIPInput" else {}
        named = (key for key, one in sorted(found.items()) if any(_is_host(name, call) for name in _ends(one)))
        return next(named, "")


def _is_host(chain: str, call: Call) -> bool:
    host = chain.split("|")[3] if chain.startswith("outbound|") else ""
    host = host.removeprefix("*.")
    return host == call.host or host.startswith(f"{call.host}.")


def _ends(one: Matcher.OnMatch) -> Iterator[str]:
    """The chains that a question can lead to."""
    if one.HasField("action"):
        yield _chain(one)
        return
    matcher = one.matcher
    yield from (end for way in matcher.matcher_tree.exact_match_map.map.values() for end in _ends(way))
    yield from (end for way in matcher.matcher_list.matchers for end in _ends(way.on_match))
    yield from _ends(matcher.on_no_match)


def _asks(matcher: Matcher) -> str:
    return matcher.matcher_tree.input.typed_config.type_url.rpartition(".")[2]


def _answer(matcher: Matcher, facts: _Facts) -> str:
    """The chain that a connection leads to."""
    taken = matcher.on_no_match
    if matcher.HasField("matcher_tree"):
        ways = matcher.matcher_tree.exact_match_map.map
        taken = ways.get(_fact(_asks(matcher), facts), taken)
    for way in matcher.matcher_list.matchers:
        if _holds(way.predicate, facts):
            taken = way.on_match
            break
    return _answer(taken.matcher, facts) if taken.HasField("matcher") else _chain(taken)


def _chain(one: Matcher.OnMatch) -> str:
    name = StringValue()
    one.action.typed_config.Unpack(name)
    return name.value


def _fact(kind: str, facts: _Facts) -> str:
    return {
        "DestinationIPInput": facts.address,
        "ServerNameInput": facts.server_name,
        "TransportProtocolInput": facts.transport,
        "ApplicationProtocolInput": facts.protocols,
    }.get(kind, "")


def _holds(predicate: _Predicate, facts: _Facts) -> bool:
    if predicate.HasField("and_matcher"):
        return all(_holds(one, facts) for one in predicate.and_matcher.predicate)
    if predicate.HasField("or_matcher"):
        return any(_holds(one, facts) for one in predicate.or_matcher.predicate)
    single = predicate.single_predicate
    value = _fact(single.input.typed_config.type_url.rpartition(".")[2], facts)
    ranges = Ip()
    if single.HasField("custom_match") and single.custom_match.typed_config.Unpack(ranges):
        networks = [ip_network(f"{one.address_prefix}/{one.prefix_len.value}") for one in ranges.cidr_ranges]
        return bool(value) and any(ip_address(value) in one for one in networks)
    return _fits(single.value_match, value)


def _fits(match: StringMatcher, value: str) -> bool:
    match match.WhichOneof("match_pattern"):
        case "exact":
            return value == match.exact
        case "contains":
            return match.contains in value
        case "suffix":
            return value.endswith(match.suffix)
        case _:
            return False
