"""Which listeners, chains and filters a patch is about."""

from collections.abc import Callable

from msgspec.structs import replace

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, FilterChainMatch
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft.compiler.names import CAPTURED_INBOUND, INBOUND_STRANGERS, chain_port
from weft.compiler.patches.http_filters import canonical
from weft.compiler.patches.work import Place
from weft.model.extension import ListenerMatch, Patch

_ANY = ListenerMatch()


def match_of(patch: Patch) -> ListenerMatch:
    """What a patch asks of listeners."""
    return patch.match if isinstance(patch.match, ListenerMatch) else _ANY


def listener_matches(patch: Patch, listener: Listener, place: Place) -> bool:
    """By name, and by the port that callers name or the one that the listener is bound to; of the captured way in, each
    chain has a port."""
    wanted = match_of(patch)
    if wanted.name and wanted.name not in (listener.name, *place.names):
        return False
    bound = listener.address.socket_address.port_value
    if listener.name == CAPTURED_INBOUND:
        return True
    return not wanted.port or wanted.port in (place.port, bound)


def chain_matches(patch: Patch, chain: FilterChain, place: Place) -> bool:
    """By name and by what Envoy chooses the chain by."""
    wanted, by = match_of(patch), chain.filter_chain_match
    if wanted.chain and wanted.chain != chain.name:
        return False
    if wanted.sni and wanted.sni not in by.server_names:
        return False
    if wanted.transport_protocol and wanted.transport_protocol != _transport(chain):
        return False
    if not set(wanted.application_protocols) <= set(by.application_protocols):
        return False
    place = replace(place, port=place.port or chain_port(chain.name))
    if wanted.port and _is_captured(chain) and wanted.port != place.port:
        return False
    return _port_matches(wanted.destination_port, by, place)


def _is_captured(chain: FilterChain) -> bool:
    return bool(chain_port(chain.name)) or chain.name.startswith(INBOUND_STRANGERS)


def _transport(chain: FilterChain) -> str:
    """A chain that alone takes TLS does not say so."""
    said = chain.filter_chain_match.transport_protocol
    return said or ("tls" if chain.HasField("transport_socket") else "")


def _port_matches(wanted: int, by: FilterChainMatch, place: Place) -> bool:
    port = by.destination_port.value if by.HasField("destination_port") else place.port
    return not wanted or not port or wanted == port


def filter_matches(patch: Patch, one: Filter) -> bool:
    """By name, if the patch says one; old names of filters count in patches only."""
    wanted = match_of(patch).filter
    return not wanted or one.name in (wanted, canonical(wanted))


def anchored_filter(patch: Patch) -> Callable[[Filter], bool] | None:
    """Finds the filter that a patch names; ``None`` if it names none."""
    return (lambda one: filter_matches(patch, one)) if match_of(patch).filter else None
