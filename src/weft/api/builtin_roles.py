"""The roles that are always there, by the names that people know from Kubernetes.

``cluster-admin`` may do everything. ``admin``, ``edit`` and ``view`` are meant for a namespace: everything in it with
the roles of others, everything but roles, and reading all but secrets. What limits a namespace is not theirs to write.
"""

import uuid
from collections.abc import Iterable, Sequence

from weft.api.errors import Json
from weft.api.objects import document_of
from weft.api.paths import Target
from weft.api.permissions import EVERYTHING, RBAC_GROUP, Rule
from weft.api.resources import READ, WRITE, Resource
from weft.dialects.kinds import Kind
from weft.kit.value import Value
from weft.model.document import Document

WEFT_GROUP = "weft.dev"
"""The group of what weft alone has: sidecars, explanations, tokens."""
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"

_LOOK = Rule(
    verbs=("get", "list", "create"),
    groups=(WEFT_GROUP,),
    resources=("proxies", "explanations", "findings", "calls", "traffic", "workloads/log", "alerts"),
)
_JOIN = Rule(verbs=("create", "list", "delete"), groups=(WEFT_GROUP,), resources=("jointokens",))
_OPERATE = Rule(verbs=("update",), groups=(WEFT_GROUP,), resources=("proxies",))
_REVOKE = Rule(verbs=("create", "list", "delete"), groups=(WEFT_GROUP,), resources=("revocations",))
_TAP = Rule(verbs=("tap", "trace"), groups=("",), resources=("services",))
_TAP_BODIES = Rule(verbs=("tap",), groups=("",), resources=("services/bodies",))
_ROLES = Rule(verbs=READ + WRITE, groups=(RBAC_GROUP,), resources=("roles", "rolebindings"))
EVERYBODY_MAY = (
    Rule(verbs=("create",), groups=("authorization.k8s.io", "authentication.k8s.io"), resources=(EVERYTHING,)),
    Rule(verbs=("get",), paths=("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")),
    Rule(verbs=("get",), paths=("/version", "/version/", "/weft/v1/status", "/weft/v1/health")),
)
"""What whoever is authenticated may do: ask about the API and about themselves."""

SERVE = "serve"
"""The verb of workloads: to be an endpoint of a service."""
_LET_SERVE = (
    Rule(verbs=(SERVE,), groups=("",), resources=("services",)),
    Rule(verbs=(SERVE,), groups=("networking.istio.io",), resources=("serviceentries",)),
)
"""Who writes roles must have what they give."""


def own_service(account: str) -> Rule:
    """What an account may serve without a role: the service of its own name."""
    return Rule(verbs=(SERVE,), groups=("",), resources=("services",), names=(account,))


class BuiltIn(Value):
    """A ClusterRole of weft's own."""

    name: str
    rules: tuple[Rule, ...]


def built_in_roles(kinds: Sequence[Kind]) -> tuple[BuiltIn, ...]:
    """The roles over the kinds that are served."""
    mesh = [kind for kind in kinds if kind.namespaced and kind.group != RBAC_GROUP]
    open_kinds = [kind for kind in mesh if kind.kind != "Secret"]
    look = (*_rules(open_kinds, READ), _LOOK, Rule(verbs=READ, groups=("",), resources=("namespaces", "events")))
    own = [kind for kind in mesh if kind.kind != "ResourceQuota"]
    edit = (*look, *_rules(own, READ + WRITE), _TAP)
    everything = (
        Rule(verbs=(EVERYTHING,), groups=(EVERYTHING,), resources=(EVERYTHING,)),
        Rule(verbs=(EVERYTHING,), paths=(EVERYTHING,)),
    )
    return (
        BuiltIn(name="cluster-admin", rules=everything),
        BuiltIn(name="admin", rules=(*edit, _TAP_BODIES, _JOIN, _OPERATE, _REVOKE, _ROLES, *_LET_SERVE)),
        BuiltIn(name="edit", rules=edit),
        BuiltIn(name="view", rules=look),
    )


def _rules(kinds: Iterable[Kind], verbs: tuple[str, ...]) -> list[Rule]:
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, []).append(kind.plural)
    return [
        Rule(verbs=verbs, groups=(group,), resources=(*plurals, *(f"{plural}/status" for plural in plurals)))
        for group, plurals in groups.items()
    ]


def documents_of(roles: Iterable[BuiltIn], resource: Resource) -> tuple[Document, ...]:
    """The roles as documents, for those who list them; their revision is 0."""
    return tuple(_document(role, resource) for role in roles)


def _document(role: BuiltIn, resource: Resource) -> Document:
    metadata: Json = {
        "name": role.name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"weft:clusterrole:{role.name}")),
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "generation": 1,
    }
    content: Json = {"apiVersion": resource.storage_version, "kind": "ClusterRole", "metadata": metadata}
    content["rules"] = [rule_json(rule) for rule in role.rules]
    return document_of(content, Target(resource=resource, version="v1", name=role.name))


def rule_json(rule: Rule) -> Json:
    """A rule as documents write it."""
    content: Json = {"verbs": list(rule.verbs)}
    lists = (("apiGroups", rule.groups), ("resources", rule.resources), ("resourceNames", rule.names))
    content |= {name: list(values) for name, values in (*lists, ("nonResourceURLs", rule.paths)) if values}
    return content
