"""Access policies at a listener of bytes: asked once for each connection."""

from google.protobuf.message import Message

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC
from weft.compiler.access.conditions import Port
from weft.compiler.access.decisions import asked, audit, decision, setting_of, tried
from weft.compiler.http_filters.authorizer import connection_authorizer
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.authorization import Action
from weft.view.access import Guards

_RBAC = "envoy.filters.network.rbac"
_SHADOW = "istio_ext_authz_"
_STATISTICS = "tcp."


@memo(4096)
def connection_guards(
    guards: Guards, numbers: tuple[int, ...], *, tls: bool, mesh_only: bool = True
) -> tuple[Filter, ...]:
    """The filters before a TCP proxy, in Istio's order."""
    setting = setting_of(guards, Port(numbers=numbers, bytes_only=True, tls=tls), mesh_only=mesh_only)
    found = []
    if (matcher := asked(guards, setting)) is not None and guards.check is not None:
        found += [
            _filter(_RBAC, RBAC(stat_prefix=_STATISTICS, shadow_matcher=matcher, shadow_rules_stat_prefix=_SHADOW)),
            _filter(
                "envoy.filters.network.ext_authz", connection_authorizer(guards.check, _RBAC, _SHADOW, _STATISTICS)
            ),
        ]
    if (matcher := audit(guards, setting)) is not None:
        found.append(_filter(_RBAC, RBAC(stat_prefix=_STATISTICS, matcher=matcher)))
    for action, prefix in ((Action.DENY, "istio_dry_run_deny_"), (Action.ALLOW, "istio_dry_run_allow_")):
        if (matcher := tried(guards, setting, action)) is not None:
            shadow = RBAC(stat_prefix=_STATISTICS, shadow_matcher=matcher, shadow_rules_stat_prefix=prefix)
            found.append(_filter(_RBAC, shadow))
    if (matcher := decision(guards, setting, merges_slashes=False)) is not None:
        found.append(_filter(_RBAC, RBAC(stat_prefix=_STATISTICS, matcher=matcher)))
    return tuple(found)


def _filter(name: str, config: Message) -> Filter:
    return Filter(name=name, typed_config=packed(config))
