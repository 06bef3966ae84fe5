"""All patches of a proxy, made to its finished resources. Without patches nothing is opened."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.patches.clusters import adds, matching, patch_cluster
from weft.compiler.patches.extensions import added_extensions
from weft.compiler.patches.listeners import patch_listener
from weft.compiler.patches.places import Places
from weft.compiler.patches.routes import ROUTE_TARGETS, patch_routes_soundly
from weft.compiler.patches.sound import usable
from weft.compiler.patches.soundness import unsound
from weft.compiler.patches.work import Place, Work, accident, late
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, Resource, Resources, resource
from weft.compiler.wire import serialized
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.extension import Patch, PatchOperation, PatchTarget
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
    extensions = added_extensions(patches, {one.name for one in resources.resources if one.type_url == EXTENSION})
    names = frozenset(one.name for one in (*resources.resources, *extensions.resources) if one.type_url == EXTENSION)
    places = Places(view, resources.resources)
    by_type = {
        type_url: tuple(one for one in patches if one.target in targets) for type_url, targets in _CONCERNED.items()
    }
    outcomes = [_outcome(one, by_type.get(one.type_url, ()), places, names) for one in resources.resources]
    taken = {(one.resource.type_url, one.resource.name) for one in outcomes if one.resource}
    new = _added(patches, places, taken, names)
    found = dict.fromkeys((*findings, *extensions.findings))
    for outcome in (*outcomes, *new):
        found.update(dict.fromkeys(outcome.findings))
    kept = [outcome.resource for outcome in (*outcomes, *new) if outcome.resource is not None]
    ordered = sorted((*_without_orphans(kept), *extensions.resources), key=lambda one: (one.type_url, one.name))
    return replace(resources, resources=tuple(ordered), findings=(*resources.findings, *found))


def _outcome(one: Resource, patches: tuple[Patch, ...], places: Places, names: frozenset[str]) -> Patched:
    return _patched(one, patches, places.of(one), names) if patches else Patched(resource=one)


@memo(32768)
def _patched(one: Resource, patches: tuple[Patch, ...], place: Place, names: frozenset[str]) -> Patched:
    """One resource, remembered by value, so that a change costs what it is about. ``names``: the extensions."""
    work = Work(patches, place)
    if work.idle:
        return Patched(resource=one)
    found = _attempted(one, patches, place, names)
    return found if isinstance(found, Patched) else _as_far_as_possible(one, patches, place, names)


def _as_far_as_possible(one: Resource, patches: tuple[Patch, ...], place: Place, names: frozenset[str]) -> Patched:
    """The patches that can be made together, in order; each of the others is left out and told."""
    left: list[Finding] = []

    def with_more(kept: tuple[Patch, ...], more: tuple[Patch, ...]) -> tuple[Patch, ...]:
        said = _attempted(one, (*kept, *more), place, names)
        if isinstance(said, Patched):
            return (*kept, *more)
        if len(more) == 1:
            left.append(late(more[0], f"in {one.name}, {said}"))
            return kept
        half = len(more) // 2
        return with_more(with_more(kept, more[:half]), more[half:])

    found = _attempted(one, with_more((), patches), place, names)
    if isinstance(found, str):
        return Patched(resource=one, findings=tuple(left))
    return Patched(resource=found.resource, findings=(*found.findings, *left))


def _attempted(one: Resource, patches: tuple[Patch, ...], place: Place, names: frozenset[str]) -> Patched | str:
    """What patches make of a resource, or why Envoy or weft could not take it."""
    work = Work(patches, place)
    try:
        kept = _BY_TYPE[one.type_url](one, work)
        why = unsound(kept, names, one) if kept is not None and kept is not one else ""
    except Exception as bug:  # noqa: BLE001  the boundary that loses one patch
        return accident(bug)
    if why:
        return f"Envoy would refuse it, because {why}"
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


def _added(
    patches: Iterable[Patch], places: Places, taken: set[tuple[str, str]], names: frozenset[str]
) -> list[Patched]:
    """New listeners and clusters; one whose name is taken, or that Envoy would refuse, is left out."""
    found = []
    for place in places.added():
        work = Work(patches, place)
        for patch in (one for one in work.of_any(PatchOperation.ADD) if one.target in _NEW and adds(one, work)):
            try:
                made, why = _new(patch, work, taken, names)
            except Exception as bug:  # noqa: BLE001  the boundary that loses one patch
                work.left_out(patch, accident(bug))
                continue
            if why:
                work.left_out(patch, why)
            else:
                taken.add((made.type_url, made.name))
                found.append(Patched(resource=made))
        found.append(Patched(resource=None, findings=tuple(work.findings)))
    return found


_NEW: dict[PatchTarget, tuple[str, type[Cluster] | type[Listener]]] = {
    PatchTarget.CLUSTER: (CLUSTER, Cluster),
    PatchTarget.LISTENER: (LISTENER, Listener),
}


def _new(patch: Patch, work: Work, taken: set[tuple[str, str]], names: frozenset[str]) -> tuple[Resource, str]:
    """What a patch adds, and why it cannot be, "" if it can."""
    type_url, kind = _NEW[patch.target]
    message = work.value(patch, kind)
    made = resource(type_url, message.name, serialized(message))
    if (type_url, made.name) in taken:
        return made, f"there is a {patch.target.value} {made.name} already"
    why = unsound(made, names)
    return made, f"Envoy would refuse it, because {why}" if why else ""


def _without_orphans(resources: list[Resource]) -> list[Resource]:
    """Endpoints go with their cluster."""
    clusters = {one.name for one in resources if one.type_url == CLUSTER}
    return [one for one in resources if one.type_url != ENDPOINTS or one.name in clusters]
