"""Which patches can be made at all."""

from collections.abc import Callable, Iterable

from google.protobuf.message import Message

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.patches.constraints import broken
from weft.compiler.patches.messages import Fault, encoded, message_of
from weft.compiler.patches.work import NEW, accident, late
from weft.kit.memo import memo
from weft.model.extension import Patch, PatchOperation
from weft.model.finding import Finding


def usable(patches: tuple[Patch, ...]) -> tuple[list[Patch], list[Finding]]:
    """The patches that can be made, and why the others cannot."""
    found: list[Patch] = []
    findings: list[Finding] = []
    for patch in patches:
        try:
            said = _unusable(patch)
        except Exception as bug:  # noqa: BLE001  the boundary that loses one patch
            said = late(patch, accident(bug))
        if said is None:
            found.append(patch)
        else:
            findings.append(said)
    return found, findings


def verdicts(patches: Iterable[Patch]) -> tuple[Finding, ...]:
    """What can be said of values wherever they are put: one that is not the message that Envoy wants refuses its
    document when that is written, one that Envoy would refuse as it stands is warned of.
    """
    found = ((_refusal(patch) or _unusable(patch)) for patch in patches)
    return tuple(said for said in found if said is not None)


@memo(4096)
def _refusal(patch: Patch) -> Finding | None:
    said = _fault(patch)
    if said is None:
        return None
    path = (*patch.path, "patch", "value", *said.path)
    return Finding(code="W0162", message=said.message, document=patch.origin.key, path=path, help=said.help)


@memo(4096)
def _unusable(patch: Patch) -> Finding | None:
    said = _fault(patch)
    if said is not None:
        return late(patch, said.message, said.path, said.help)
    if patch.operation not in NEW:
        return None
    content = encoded(patch.target, patch.value)
    assert not isinstance(content, Fault)
    message = message_of(patch.target, content)
    if missing := lacking(message):
        return late(patch, f"Envoy would refuse it, because it has no {missing}")
    rule = next(broken(message), None)
    return late(patch, f"Envoy would refuse it, because {rule.why}", rule.path) if rule else None


def _fault(patch: Patch) -> Fault | None:
    if patch.operation is PatchOperation.REMOVE:
        return None
    content = encoded(patch.target, patch.value)
    return content if isinstance(content, Fault) else None


def lacking(message: Message) -> str:
    """The first thing that a message lacks to stand alone; "" if nothing does."""
    wanted: dict[type[Message], tuple[tuple[str, Callable[..., object]], ...]] = {
        Listener: (("name", lambda one: one.name), ("address", lambda one: one.HasField("address"))),
        FilterChain: (("filters", lambda one: one.filters),),
        Filter: (("typed_config", _has_config),),
        ListenerFilter: (("typed_config", _has_config),),
        HttpFilter: (("typed_config", _has_config),),
        VirtualHost: (("name", lambda one: one.name), ("domains", lambda one: one.domains)),
        Route: (("match", lambda one: one.match.WhichOneof("path_specifier")), ("action", _has_action)),
        Cluster: (("name", lambda one: one.name),),
        TypedExtensionConfig: (("name", lambda one: one.name), ("typed_config", lambda one: one.typed_config.type_url)),
    }
    return next((name for name, has in wanted.get(type(message), ()) if not has(message)), "")


def _has_config(one: Filter | ListenerFilter | HttpFilter) -> object:
    return one.typed_config.type_url or one.HasField("config_discovery")


def _has_action(route: Route) -> object:
    return route.WhichOneof("action")
