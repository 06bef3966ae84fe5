"""What would change of a proxy's resources: which are added, removed and changed, and what of these."""

import difflib
from collections.abc import Iterator, Mapping

from google.protobuf.json_format import MessageToDict, MessageToJson
from google.protobuf.message import Message

# JSON of an Any needs the class inside it: the compiler's imports register every type that it writes.
import weft.compiler.resources  # noqa: F401
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, Resources
from weft.explain.clusters import address_text
from weft.kit.value import Value

_KINDS: dict[str, tuple[str, type[Message]]] = {
    LISTENER: ("listener", Listener),
    ROUTES: ("routes", RouteConfiguration),
    CLUSTER: ("cluster", Cluster),
    ENDPOINTS: ("endpoints", ClusterLoadAssignment),
}
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


class Difference(Value):
    """One resource: ``parts`` says what of it changes, ``text`` is a unified diff of it as JSON."""

    kind: str
    name: str
    change: str
    parts: tuple[str, ...] = ()
    text: str = ""


def differences(before: Resources, after: Resources, *, texts: bool = False) -> tuple[Difference, ...]:
    """What makes the one out of the other, by kind and name; ``texts`` too."""
    old, new = (_by_name(resources) for resources in (before, after))
    found = [
        _difference(key, old.get(key), new.get(key), texts)
        for type_url in _KINDS
        for key in sorted({*old, *new})
        if key[0] == type_url and _version(old.get(key)) != _version(new.get(key))
    ]
    return tuple(found)


def _by_name(resources: Resources) -> dict[tuple[str, str], Resource]:
    return {(one.type_url, one.name): one for one in resources.resources if one.type_url in _KINDS}


def _version(one: Resource | None) -> str:
    return one.version if one else ""


def _difference(key: tuple[str, str], old: Resource | None, new: Resource | None, texts: bool) -> Difference:
    kind, model = _KINDS[key[0]]
    before, after = (None if one is None else _read(model, one) for one in (old, new))
    change = ADDED if before is None else REMOVED if after is None else CHANGED
    parts = tuple(_parts(before, after)) if before is not None and after is not None else ()
    text = _unified(key[1], before, after) if texts else ""
    return Difference(kind=kind, name=key[1], change=change, parts=parts, text=text)


def _read(model: type[Message], one: Resource) -> Message:
    message = model()
    message.ParseFromString(one.body)
    return message


def _parts(before: Message, after: Message) -> Iterator[str]:
    """What of a resource differs, in the words that one looks for."""
    if isinstance(before, RouteConfiguration) and isinstance(after, RouteConfiguration):
        yield from tuple(_hosts(before, after)) or _fields(before, after)
    elif isinstance(before, ClusterLoadAssignment) and isinstance(after, ClusterLoadAssignment):
        yield from tuple(_named("endpoint", _endpoints(before), _endpoints(after))) or _fields(before, after)
    else:
        yield from _fields(before, after)


def _hosts(before: RouteConfiguration, after: RouteConfiguration) -> Iterator[str]:
    old, new = ({host.name: host for host in routes.virtual_hosts} for routes in (before, after))
    for name in dict.fromkeys((*old, *new)):
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            yield f"virtual host {name} {ADDED if one is None else REMOVED}"
        elif one != other:
            routes = tuple(_named("route", _routes(one), _routes(other)))
            yield from (f"virtual host {name}: {part}" for part in routes or _fields(one, other))


def _routes(host: VirtualHost) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for index, route in enumerate(host.routes):
        name = route.name or str(index)
        found[name if name not in found else f"{name} ({index})"] = route.SerializeToString(deterministic=True)
    return found


def _endpoints(assignment: ClusterLoadAssignment) -> dict[str, bytes]:
    return {
        address_text(one): one.SerializeToString(deterministic=True) + str(place.priority).encode()
        for place in assignment.endpoints
        for one in place.lb_endpoints
    }


def _named(what: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{what} {name} {ADDED if name not in old else REMOVED if name not in new else CHANGED}"


def _fields(before: Message, after: Message) -> Iterator[str]:
    old, new = (MessageToDict(message, preserving_proto_field_name=True) for message in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{name} {ADDED if name not in old else REMOVED if name not in new else CHANGED}"


def _unified(name: str, before: Message | None, after: Message | None) -> str:
    old, new = (_lines(message) for message in (before, after))
    return "".join(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (then)", n=3))


def _lines(message: Message | None) -> list[str]:
    if message is None:
        return []
    return (MessageToJson(message, preserving_proto_field_name=True, sort_keys=True) + "\n").splitlines(keepends=True)
