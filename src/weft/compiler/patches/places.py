"""What each resource is in the words of patches. See ``docs/compatibility.md`` for the names and ports."""

from weft.compiler.names import (
    CAPTURED_INBOUND,
    CAPTURED_OUTBOUND,
    GATEWAY,
    HTTP_PROXY,
    captured_listener_name,
    captured_route_name,
    egress_name,
    inbound_cluster_name,
    inbound_listener_name,
    inbound_route_name,
    upstream_listener_name,
    upstream_route_name,
)
from weft.compiler.patches.work import Place
from weft.compiler.resource import CLUSTER, LISTENER, ROUTES, Resource
from weft.model.extension import Context
from weft.view.view import Captured, View

_OUT, _IN = CAPTURED_OUTBOUND, CAPTURED_INBOUND


class Places:
    """The places of one proxy's resources."""

    def __init__(self, view: View, resources: tuple[Resource, ...]) -> None:
        gateway = any(one.type_url == LISTENER and one.name.startswith(GATEWAY) for one in resources)
        self.side = Context.GATEWAY if gateway else Context.SIDECAR_OUTBOUND
        self._known = _known(view)

    def of(self, resource: Resource) -> Place:
        """Where a listener, a route configuration or a cluster stands."""
        found = self._known.get((resource.type_url, resource.name))
        if found is not None:
            return found
        if resource.type_url == LISTENER and self.side is Context.GATEWAY:
            port = resource.name.rpartition("_")[2]
            return Place(context=self.side, port=int(port) if port.isdecimal() else 0)
        return Place(context=self.side)

    def added(self) -> list[Place]:
        """The sides to which something new can belong."""
        sides = [self.side]
        if any(place.context is Context.SIDECAR_INBOUND for place in self._known.values()):
            sides.append(Context.SIDECAR_INBOUND)
        return [Place(context=side) for side in sides]


def _known(view: View) -> dict[tuple[str, str], Place]:
    outbound = Context.SIDECAR_OUTBOUND
    found = {(LISTENER, HTTP_PROXY): Place(context=outbound, names=(_OUT,))}
    for port in view.upstream_ports:
        target = port.target
        place = Place(context=outbound, port=target.port, hosts=(target.host,), names=(_OUT,))
        found[LISTENER, upstream_listener_name(port)] = place
        found[ROUTES, upstream_route_name(target)] = place
    for egress in view.egress_ports:
        place = Place(context=outbound, port=0 if egress.any_port else egress.bind_port, names=(_OUT,))
        found[LISTENER, egress_name(egress)] = place
        found[ROUTES, egress_name(egress)] = place
    if view.captured is not None:
        found |= _captured(view.captured)
    for inbound in view.inbound:
        hosts = (inbound.host,) if inbound.host else ()
        place = Place(context=Context.SIDECAR_INBOUND, port=inbound.port, hosts=hosts, names=(_IN,))
        found[LISTENER, inbound_listener_name(inbound)] = place
        found[CLUSTER, inbound_cluster_name(inbound)] = place
        for authenticated in (True, False):
            found[ROUTES, inbound_route_name(inbound, authenticated=authenticated)] = place
    return found


def _captured(captured: Captured) -> dict[tuple[str, str], Place]:
    """The listeners of captured connections; the one of the way in is of many ports."""
    outbound, inbound = Context.SIDECAR_OUTBOUND, Place(context=Context.SIDECAR_INBOUND, names=(_IN,))
    found = {
        (LISTENER, CAPTURED_OUTBOUND): Place(context=outbound, names=(_OUT,)),
        (LISTENER, CAPTURED_INBOUND): inbound,
    }
    for port in captured.ports:
        place = Place(context=outbound, port=port.number, names=(_OUT,))
        found[LISTENER, captured_listener_name(port.number)] = place
        found[ROUTES, captured_route_name(port.number)] = place
    return found | {(CLUSTER, inbound_cluster_name(one)): inbound for one in captured.strangers}
