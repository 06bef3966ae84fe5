"""Access policies at a listener of requests: who may call what.

What decides comes with the routes, so that a policy that changes holds at once for connections that are open; in the
chain the filter stands disabled. What only tells, and what asks a provider, is in the chain where a policy needs it.
"""

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC, RBACPerRoute
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.access.conditions import Port
from weft.compiler.access.decisions import asked, audit, decision, setting_of, tried
from weft.compiler.access.entries import Setting
from weft.compiler.http_filters.authorizer import authorizer_filter
from weft.compiler.http_filters.claims import Telling, on_tokens
from weft.compiler.http_filters.tokens import token_filter
from weft.compiler.telemetry.decisions import AUDITED
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.authorization import Action
from weft.view.access import Guards

RBAC_FILTER = "envoy.filters.http.rbac"
SHADOW = "istio_ext_authz_"


class Door(Value):
    """Where guards stand: ``numbers`` are those that a port goes by; ``merges_slashes``: paths come without doubled or
    escaped slashes; ``mesh_only`` as in ``Setting``, ``tls`` as in ``Port``."""

    guards: Guards
    numbers: tuple[int, ...]
    mesh_only: bool = True
    tls: bool = True
    merges_slashes: bool = False

    @property
    def setting(self) -> Setting:
        """Where rules are asked."""
        return setting_of(self.guards, Port(numbers=self.numbers, tls=self.tls), mesh_only=self.mesh_only)


@memo(4096)
def guard_filters(door: Door) -> tuple[HttpFilter, ...]:
    """The filters in their order: tokens, whom to ask, what to log, what decides (Istio)."""
    guards, setting = door.guards, door.setting
    found = [token_filter(guards, routed=not door.mesh_only)] if guards.tokens else []
    if (matcher := asked(guards, setting)) is not None and guards.check is not None:
        shadow = RBAC(shadow_matcher=matcher, shadow_rules_stat_prefix=SHADOW)
        found += [_filter("weft.access.asked", shadow), authorizer_filter(guards.check, RBAC_FILTER, SHADOW)]
    if (matcher := audit(guards, setting)) is not None:
        found.append(_filter("weft.access.audit", RBAC(matcher=matcher, rules_stat_prefix=AUDITED)))
    for action, prefix in ((Action.DENY, "istio_dry_run_deny_"), (Action.ALLOW, "istio_dry_run_allow_")):
        if (matcher := tried(guards, setting, action)) is not None:
            shadow = RBAC(shadow_matcher=matcher, shadow_rules_stat_prefix=prefix)
            found.append(_filter(f"weft.access.dry_run_{action.value.lower()}", shadow))
    return (*found, HttpFilter(name=RBAC_FILTER, disabled=True, typed_config=packed(RBAC())))


def on_routes(door: Door, telling: Telling) -> dict[str, Any]:
    """What routes say to the filters: what decides, if anything is denied at all, and what is told of tokens."""
    return dict(_deciding(door)) | on_tokens(telling)


@memo(4096)
def _deciding(door: Door) -> tuple[tuple[str, Any], ...]:
    matcher = decision(door.guards, door.setting, merges_slashes=door.merges_slashes)
    if matcher is None:
        return ()
    return ((RBAC_FILTER, packed(RBACPerRoute(rbac=RBAC(matcher=matcher)))),)


def _filter(name: str, config: RBAC) -> HttpFilter:
    return HttpFilter(name=name, typed_config=packed(config))
