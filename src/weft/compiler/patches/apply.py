"""All patches of a proxy, made to its finished resources. Without patches nothing is opened."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.patches.clusters import added_clusters, adds, matching, patch_cluster
from weft.compiler.patches.listeners import added_listeners, patch_listener
from weft.compiler.patches.places import Places
from weft.compiler.patches.routes import ROUTE_TARGETS, patch_routes_soundly
from weft.compiler.patches.sound import usable
from weft.compiler.patches.work import Place, Work
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, Resources, resource
from weft.compiler.wire import serialized
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.extension import Patch, PatchTarget
from weft.model.finding import Finding
from weft.view.view import View

_LISTENER_TARGETS = (
    PatchTarget.LISTENER,
    PatchTarget.LISTENER_FILTER,
    PatchTarget.FILTER_CHAIN,
    PatchTarget.NETWORK_FILTER,
    PatchTarget.HTTP_FILTER,
)
_CONCERNED = {
    LISTENER: (*_LISTENER_TARGETS, *ROUTE_TARGETS),
    ROUTES: ROUTE_TARGETS,
    CLUSTER: (PatchTarget.CLUSTER,),
}


class Patched(Value):
    """What became of a resource (``None``: removed), and what is found."""

    resource: Resource | None
    findings: tuple[Finding, ...] = ()


def patched(resources: Resources, view: View) -> Resources:
    """The resources with the view's patches in them, sorted as before."""
    patches, findings = usable(view.patches)
    places = Places(view, resources.resources)
    by_type = {
        type_url: tuple(one for one in patches if one.target in targets) for type_url, targets in _CONCERNED.items()
    }
    outcomes = [_outcome(one, by_type.get(one.type_url, ()), places) for one in resources.resources]
    new = _added(patches, places, {(one.resource.type_url, one.resource.name) for one in outcomes if one.resource})
    found = dict.fromkeys(findings)
    for outcome in (*outcomes, *new):
        found.update(dict.fromkeys(outcome.findings))
    kept = [outcome.resource for outcome in (*outcomes, *new) if outcome.resource is not None]
    ordered = sorted(_without_orphans(kept), key=lambda one: (one.type_url, one.name))
    return replace(resources, resources=tuple(ordered), findings=(*resources.findings, *found))


def _outcome(one: Resource, patches: tuple[Patch, ...], places: Places) -> Patched:
    return _patched(one, patches, places.of(one)) if patches else Patched(resource=one)


@memo(32768)
def _patched(one: Resource, patches: tuple[Patch, ...], place: Place) -> Patched:
    """One resource, remembered by value, so that a change costs what it is about."""
    work = Work(patches, place)
    if work.idle:
        return Patched(resource=one)
    kept = _BY_TYPE[one.type_url](one, work)
    return Patched(resource=kept, findings=tuple(work.findings))


def _patched_listener(one: Resource, work: Work) -> Resource | None:
    """A listener keeps its name: other parts of weft know it by that."""
    listener = Listener.FromString(one.body)
    before = serialized(listener)
    if not patch_listener(listener, work):
        return None
    listener.name = one.name
    return _changed(one, before, serialized(listener))


def _patched_routes(one: Resource, work: Work) -> Resource:
    routes = RouteConfiguration.FromString(one.body)
    before = serialized(routes)
    patch_routes_soundly(routes, work)
    routes.name = one.name
    return _changed(one, before, serialized(routes))


def _patched_cluster(one: Resource, work: Work) -> Resource | None:
    if not matching(one.name, work):
        return one
    cluster = Cluster.FromString(one.body)
    before = serialized(cluster)
    if not patch_cluster(cluster, work):
        return None
    cluster.name = one.name
    return _changed(one, before, serialized(cluster))


def _changed(one: Resource, before: bytes, body: bytes) -> Resource:
    """The same object where nothing changed; bytes put together from parts may be others than a message's."""
    return one if body == before else resource(one.type_url, one.name, body)


_BY_TYPE: dict[str, Callable[[Resource, Work], Resource | None]] = {
    LISTENER: _patched_listener,
    ROUTES: _patched_routes,
    CLUSTER: _patched_cluster,
}


def _added(patches: Iterable[Patch], places: Places, taken: set[tuple[str, str]]) -> list[Patched]:
    """New listeners and clusters; one whose name is taken is left out."""
    found = []
    for place in places.added():
        work = Work(patches, place)
        new = [(one, CLUSTER, cluster.name, serialized(cluster)) for one, cluster in added_clusters(work)]
        new += [(one, LISTENER, made.name, serialized(made)) for one, made in added_listeners(work) if adds(one, work)]
        for patch, type_url, name, body in new:
            if (type_url, name) in taken:
                work.left_out(patch, f"there is a {patch.target.value} {name} already")
                continue
            taken.add((type_url, name))
            found.append(Patched(resource=resource(type_url, name, body)))
        found.append(Patched(resource=None, findings=tuple(work.findings)))
    return found


def _without_orphans(resources: list[Resource]) -> list[Resource]:
    """Endpoints go with their cluster."""
    clusters = {one.name for one in resources if one.type_url == CLUSTER}
    return [one for one in resources if one.type_url != ENDPOINTS or one.name in clusters]
