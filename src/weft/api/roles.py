"""Who has which role: the RBAC documents of a snapshot as an index, without I/O."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from weft.api.builtin_roles import BuiltIn
from weft.api.permissions import RBAC_GROUP, Rule
from weft.api.subjects import Subject
from weft.kit.value import Value
from weft.model.document import Document

_decode = msgspec.json.Decoder().decode
_ACCOUNT = "system:serviceaccount:"
_USER, _GROUP = "User", "Group"

Holder = tuple[str, str]
"""A user or a group, by kind and name; an account is the user that Kubernetes calls it."""


class Grant(Value):
    """A rule that somebody has, in a namespace or (empty) everywhere."""

    namespace: str
    rule: Rule


class Roles:
    """The roles and bindings of one moment."""

    def __init__(self, documents: Sequence[Document], built_in: Sequence[BuiltIn]) -> None:
        self._documents = documents
        self._built_in = {role.name: role.rules for role in built_in}

    def grants(self, subject: Subject) -> tuple[Grant, ...]:
        """Every rule that a subject has by name or by a group."""
        holders: list[Holder] = [(_USER, subject.name), *((_GROUP, group) for group in subject.groups)]
        return tuple(dict.fromkeys(grant for holder in holders for grant in self._by_holder.get(holder, ())))

    def rules_of(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """What a role allows, ``None`` when there is no such role."""
        if kind == "ClusterRole":
            return self._built_in.get(name) or self._cluster_roles.get(name)
        return self._roles.get((namespace, name))

    @cached_property
    def _cluster_roles(self) -> dict[str, tuple[Rule, ...]]:
        contents = {d.key.name: (d, _decode(d.content)) for d in self._documents if d.key.kind == "ClusterRole"}
        own = {name: rules_of_content(content) for name, (_, content) in contents.items()}
        labels = {name: dict(document.labels) for name, (document, _) in contents.items()}
        sums = {name: content.get("aggregationRule") for name, (_, content) in contents.items()}
        return own | {name: _summed(name, rule, own, labels) for name, rule in sums.items() if rule}

    @cached_property
    def _roles(self) -> dict[tuple[str, str], tuple[Rule, ...]]:
        documents = (document for document in self._documents if document.key.kind == "Role")
        return {(one.key.namespace, one.key.name): rules_of_content(_decode(one.content)) for one in documents}

    @cached_property
    def _by_holder(self) -> dict[Holder, list[Grant]]:
        found: dict[Holder, list[Grant]] = {}
        for document in self._documents:
            if document.key.kind not in ("RoleBinding", "ClusterRoleBinding"):
                continue
            content = _decode(document.content)
            namespace = document.key.namespace
            reference = content.get("roleRef", {})
            rules = self.rules_of(reference.get("kind", ""), namespace, reference.get("name", "")) or ()
            grants = [Grant(namespace=namespace, rule=rule) for rule in rules]
            for holder in map(_holder, content.get("subjects", ())):
                found.setdefault(holder, []).extend(grants)
        return found


def account_name(namespace: str, account: str) -> str:
    """An account's name as a user, as in Kubernetes."""
    return f"{_ACCOUNT}{namespace}:{account}"


def account_of(subject: Subject) -> tuple[str, str]:
    """The namespace and account that a subject is, both "" for one that is none."""
    if not subject.name.startswith(_ACCOUNT):
        return "", ""
    namespace, _, account = subject.name.removeprefix(_ACCOUNT).partition(":")
    return (namespace, account) if namespace else ("", "")


def is_rbac(document: Document) -> bool:
    """Whether a document says who may do what."""
    return document.key.group == RBAC_GROUP


def rules_of_content(content: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules that a role's document lists itself."""
    return tuple(
        Rule(
            verbs=tuple(rule.get("verbs", ())),
            groups=tuple(rule.get("apiGroups", ())),
            resources=tuple(rule.get("resources", ())),
            names=tuple(rule.get("resourceNames", ())),
            paths=tuple(rule.get("nonResourceURLs", ())),
        )
        for rule in content.get("rules", ())
    )


def _summed(
    name: str, aggregation: Mapping[str, Any], own: Mapping[str, tuple[Rule, ...]], labels: Mapping[str, dict[str, str]]
) -> tuple[Rule, ...]:
    """The rules of the ClusterRoles that an aggregation selects; sums are not summed again, as in Kubernetes."""
    selectors = aggregation.get("clusterRoleSelectors", ())
    chosen = (other for other in own if other != name and any(_selects(one, labels[other]) for one in selectors))
    return tuple(dict.fromkeys(rule for other in chosen for rule in own[other]))


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    expressions: Iterable[Mapping[str, Any]] = selector.get("matchExpressions", ())
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value is not None and value in expression.get("values", ())
        case "NotIn":
            return value not in expression.get("values", ())
        case "Exists":
            return value is not None
    return value is None


def _holder(subject: Mapping[str, str]) -> Holder:
    if subject.get("kind") == "ServiceAccount":
        return (_USER, account_name(subject.get("namespace", ""), subject.get("name", "")))
    return (subject.get("kind", ""), subject.get("name", ""))
