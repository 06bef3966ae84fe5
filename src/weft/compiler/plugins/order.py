"""Where plugins stand among the filters of a chain."""

from collections.abc import Iterable

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.names import ROUTE_CHECK
from weft.model.plugin import Phase
from weft.model.tap import IN, OUT

_HTTP = "envoy.filters.http."
_RANKS = {
    IN: 0,
    OUT: 0,
    "cors": 0,
    "grpc_web": 1,
    "jwt_authn": 20,
    "oauth2": 20,
    "basic_auth": 20,
    "api_key_auth": 20,
    "rbac": 40,
    "ext_authz": 40,
    "dynamic_forward_proxy": 95,
    "router": 100,
}
_GUARDS = ("weft.access", ROUTE_CHECK)
_OTHER = 60
"""The mesh's own filters between authorization and routing: limits, breakers, faults."""
_PHASES = {
    Phase.AUTHN: 10,
    Phase.AUTHZ: 30,
    Phase.TRANSFORMATION: 70,
    Phase.CACHE: 75,
    Phase.COMPRESSION: 80,
    Phase.LAST: 85,
    Phase.STATS: 90,
}


def with_placed(filters: Iterable[HttpFilter], new: Iterable[tuple[HttpFilter, Phase]]) -> list[HttpFilter]:
    """A chain with new filters where their phases belong, those of a phase in the order in which they are given."""
    waiting = sorted(((_PHASES[phase], one) for one, phase in new), key=lambda pair: pair[0])
    found: list[HttpFilter] = []
    for one in filters:
        rank = _RANKS["rbac"] if one.name.startswith(_GUARDS) else _RANKS.get(one.name.removeprefix(_HTTP), _OTHER)
        while waiting and waiting[0][0] < rank:
            found.append(waiting.pop(0)[1])
        found.append(one)
    return [*found, *(one for _, one in waiting)]
