"""What a proxy says that it runs, beside what it was sent.

Listeners, clusters and routes must be what was sent, message by message; of endpoints Envoy shows where they are and
how heavy, so these are compared. How well an endpoint is, Envoy judges itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from weft.compiler.resource import Resources
from weft.explain.dump import messages_of
from weft.kit.value import Value

KINDS = ("listeners", "routes", "clusters", "endpoints")
_ADDED = frozenset({"@type"})

Json = dict[str, Any]


class State(Enum):
    """How what runs is to what was sent."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"
    EXTRA = "extra"


class Compared(Value):
    """A resource of a kind; ``sent`` and ``running`` are Envoy's JSON where they differ or one is not there."""

    kind: str
    name: str
    state: State
    sent: Json | None = None
    running: Json | None = None
    problem: str = ""


def compared(resources: Resources, dump: Json) -> tuple[Compared, ...]:
    """Every resource that was sent or runs. ``dump`` is what ``/config_dump?include_eds`` answers."""
    problems = dict(_problems(dump))
    found: list[Compared] = []
    for kind in KINDS:
        sent = {name_of(one): one for one in messages_of(resources, kind)}
        running = dict(_running(dump, kind))
        # Endpoints that are part of a cluster, Envoy shows once more by themselves.
        names = sent.keys() if kind == "endpoints" else sent.keys() | running.keys()
        found += (
            _beside(kind, name, sent.get(name), running.get(name), problems.get(name, "")) for name in sorted(names)
        )
    return tuple(found)


def name_of(message: Json) -> str:
    """The name of a resource."""
    return str(message.get("name") or message.get("cluster_name") or "")


def _beside(kind: str, name: str, sent: Json | None, running: Json | None, problem: str) -> Compared:
    if sent is None:
        state = State.EXTRA
    elif running is None:
        state = State.MISSING
    else:
        comparable = _endpoints if kind == "endpoints" else _plain
        state = State.SAME if comparable(sent) == comparable(running) else State.DIFFERENT
    if state is State.SAME:
        return Compared(kind=kind, name=name, state=state, problem=problem)
    return Compared(kind=kind, name=name, state=state, sent=sent, running=running, problem=problem)


_WHERE = {
    "clusters": ("ClustersConfigDump", ("dynamic_active_clusters", "dynamic_warming_clusters"), ("cluster",)),
    "listeners": ("ListenersConfigDump", ("dynamic_listeners",), ("active_state", "listener")),
    "routes": ("RoutesConfigDump", ("dynamic_route_configs",), ("route_config",)),
    "endpoints": ("EndpointsConfigDump", ("dynamic_endpoint_configs",), ("endpoint_config",)),
}


def _running(dump: Json, kind: str) -> Iterator[tuple[str, Json]]:
    type_, lists, path = _WHERE[kind]
    for part in _parts(dump, type_):
        for entry in (one for name in lists for one in part.get(name, ())):
            found: Any = entry
            for step in path:
                found = found.get(step, {}) if isinstance(found, Mapping) else {}
            if found and name_of(found):
                yield name_of(found), {name: value for name, value in found.items() if name not in _ADDED}


def _problems(dump: Json) -> Iterator[tuple[str, str]]:
    """Why listeners do not run as they were sent."""
    for part in _parts(dump, "ListenersConfigDump"):
        for one in part.get("dynamic_listeners", ()):
            if details := one.get("error_state", {}).get("details"):
                yield one["name"], str(details)


def _parts(dump: Json, type_: str) -> Iterable[Json]:
    return (one for one in dump.get("configs", ()) if str(one.get("@type", "")).endswith(f".{type_}"))


def _plain(message: Any) -> Any:
    """Without what JSON may say or leave out: empty parts, and how numbers and times are written."""
    if isinstance(message, Mapping):
        found = {name: _plain(value) for name, value in message.items()}
        return {name: value for name, value in found.items() if value not in ({}, [], "", None)}
    if isinstance(message, list | tuple):
        return [_plain(one) for one in message]
    if isinstance(message, float) and message.is_integer():
        return int(message)
    return message


def _endpoints(message: Json) -> set[tuple[str, int]]:
    return {
        (_address(one), int(one.get("load_balancing_weight", 1)))
        for group in message.get("endpoints", ())
        for one in group.get("lb_endpoints", ())
    }


def _address(endpoint: Json) -> str:
    address = endpoint.get("endpoint", {}).get("address", {})
    socket = address.get("socket_address", {})
    return f"{socket.get('address')}:{socket.get('port_value')}" if socket else str(address)
