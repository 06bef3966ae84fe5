"""The matchers of RBAC filters: what decides, what is only told, and whom a provider is asked about.

What decides is one matcher: guards against what can be read in two ways, then DENY, then ALLOW.
"""

from collections.abc import Iterable, Sequence

from weft._pb.envoy.config.rbac.v3.rbac_pb2 import RBAC
from weft._pb.envoy.config.rbac.v3.rbac_pb2 import Action as RbacAction
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft.compiler.access.ambiguity import ambiguities
from weft.compiler.access.conditions import Port
from weft.compiler.access.entries import Entry, Setting, entries_of
from weft.compiler.access.predicates import extension
from weft.compiler.access.trees import Doing, OnMatch, matcher_of, nested
from weft.model.authorization import AccessPolicy, Action
from weft.view.access import Check, Guards, for_connections

ASKED = "istio-ext-authz-"
"""What the names of rules begin with that a provider is asked about, as in Istio."""

REFUSED = "-deny-due-to-bad-CUSTOM-action"
_DEFAULT = "allow-without-policy"
_NO_MATCH = "no-allow-policy-matches"


def setting_of(guards: Guards, port: Port, *, mesh_only: bool) -> Setting:
    """Where the policies of a proxy's port are asked."""
    return Setting(port=port, trust_domains=guards.trust_domains, hardened=guards.hardened, mesh_only=mesh_only)


def policies_of(guards: Guards, action: Action, port: Port, *, dry_run: bool = False) -> tuple[AccessPolicy, ...]:
    """The policies of one action, as they are for requests or for bytes."""
    found = guards.of(action, dry_run=dry_run)
    return for_connections(found) if port.bytes_only else found


def decision(guards: Guards, setting: Setting, *, merges_slashes: bool) -> Matcher | None:
    """What is allowed, ``None`` when everything is."""
    denied = [*_ambiguous(guards, setting, merges_slashes), *_refused(guards, setting)]
    denied += entries_of(policies_of(guards, Action.DENY, setting.port), setting)
    allowing = policies_of(guards, Action.ALLOW, setting.port)
    if not denied and not allowing:
        return None
    deny, allow, wide = _doing(RBAC.DENY), _doing(RBAC.ALLOW), setting.hardened
    if not allowing:
        return matcher_of(denied, deny, allow(_DEFAULT), wide=wide)
    allowed = list(entries_of(allowing, setting))
    refused = deny(_NO_MATCH)
    matcher = matcher_of(allowed, allow, refused, wide=False) if allowed else Matcher(on_no_match=refused)
    return matcher_of(denied, deny, nested(matcher), wide=wide) if denied else matcher


def audit(guards: Guards, setting: Setting) -> Matcher | None:
    """What is to be logged; nothing is decided."""
    entries = list(entries_of(policies_of(guards, Action.AUDIT, setting.port), setting))
    if not entries:
        return None
    return matcher_of(entries, _doing(RBAC.LOG), _doing(RBAC.ALLOW)(_DEFAULT), wide=setting.hardened)


def tried(guards: Guards, setting: Setting, action: Action) -> Matcher | None:
    """What policies that are only tried would decide."""
    policies = policies_of(guards, action, setting.port, dry_run=True)
    if not policies:
        return None
    entries = list(entries_of(policies, setting))
    yes, no = (RBAC.ALLOW, RBAC.DENY) if action is Action.ALLOW else (RBAC.DENY, RBAC.ALLOW)
    wide = setting.hardened and action is not Action.ALLOW
    return matcher_of(entries, _doing(yes), _doing(no)(_DEFAULT), wide=wide)


def asked(guards: Guards, setting: Setting) -> Matcher | None:
    """About what a provider is asked: the name of the rule tells the filter that asks."""
    if not can_ask(guards.check, setting.port):
        return None
    entries = list(_custom(guards, setting))
    if not entries:
        return None
    return matcher_of(entries, _doing(RBAC.DENY), _doing(RBAC.ALLOW)(_DEFAULT), wide=setting.hardened)


def can_ask(check: Check | None, port: Port) -> bool:
    """Whether somebody answers; about bytes only those that speak gRPC do."""
    return check is not None and check.authorizer is not None and not (port.bytes_only and check.authorizer.http)


def _custom(guards: Guards, setting: Setting) -> Iterable[Entry]:
    provider = guards.check.provider if guards.check else ""
    return entries_of(policies_of(guards, Action.CUSTOM, setting.port), setting, f"{ASKED}{provider}-")


def _refused(guards: Guards, setting: Setting) -> list[Entry]:
    """What nobody can be asked about is denied. Istio leaves it open for bytes where the provider speaks HTTP."""
    if guards.check is None or can_ask(guards.check, setting.port):
        return []
    if guards.check.authorizer is not None and not guards.hardened:
        return []
    return [Entry(f"{one.name}{REFUSED}", one.predicate, one.paths, one.callers) for one in _custom(guards, setting)]


def _ambiguous(guards: Guards, setting: Setting, merges_slashes: bool) -> Sequence[Entry]:
    return ambiguities(guards, setting.port, merges_slashes=merges_slashes)


def _doing(action: RBAC.Action) -> Doing:
    def do(name: str) -> OnMatch:
        return OnMatch(action=extension("action", RbacAction(name=name, action=action)))

    return do
