"""What must hold of roles and bindings, as Kubernetes validates them."""

from weft.dialects.findings import Findings, Here
from weft.dialects.kubernetes.rbac_type import (
    BindingOfRole,
    ClusterRoleRules,
    LabelSelector,
    PolicyRule,
    RbacSubject,
    RoleRules,
)
from weft.dialects.metadata import ObjectMeta, check_metadata

GROUP = "rbac.authorization.k8s.io"
_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}


def check_role(spec: RoleRules, metadata: ObjectMeta) -> Findings:
    """A namespace's role says nothing of paths, which are in no namespace."""
    yield from check_metadata(metadata, path_name=True)
    for index, rule in enumerate(spec.rules):
        here = Here(path=("rules", index))
        yield from _check_rule(here, rule)
        if rule.non_resource_urls:
            there = here.at("nonResourceURLs")
            yield there.error("W0128", "a Role says nothing of paths", "use a ClusterRole", at_key=True)


def check_cluster_role(spec: ClusterRoleRules, metadata: ObjectMeta) -> Findings:
    """Rules of resources or of paths, and selectors that can select."""
    yield from check_metadata(metadata, path_name=True)
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(Here(path=("rules", index)), rule)
    if spec.aggregation_rule is None:
        return
    here = Here(path=("aggregationRule", "clusterRoleSelectors"))
    if not spec.aggregation_rule.cluster_role_selectors:
        yield here.error("W0105", "at least one selector is required", at_key=True)
    for index, selector in enumerate(spec.aggregation_rule.cluster_role_selectors):
        yield from _check_selector(here.at(index), selector)


def _check_rule(here: Here, rule: PolicyRule) -> Findings:
    if not rule.verbs:
        yield here.at("verbs").error("W0105", "verbs must contain at least one value", at_key=True)
    if rule.non_resource_urls:
        if rule.api_groups or rule.resources or rule.resource_names:
            yield here.error("W0106", "a rule is about resources or about paths, not both", "make two rules of it")
        for index, url in enumerate(rule.non_resource_urls):
            if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
                there = here.at("nonResourceURLs", index)
                yield there.error("W0102", f'"{url[:80]}" is not a path', "begin with /, and have a * at the end only")
        return
    if not rule.api_groups:
        yield here.error("W0105", "resource rules must supply at least one API group", 'the core\'s is ""')
    if not rule.resources:
        yield here.error("W0105", "resource rules must supply at least one resource")


def _check_selector(here: Here, selector: LabelSelector) -> Findings:
    for index, requirement in enumerate(selector.match_expressions):
        there = here.at("matchExpressions", index)
        values = _OPERATORS.get(requirement.operator)
        if values is None:
            message = f'"{requirement.operator[:80]}" is not an operator'
            yield there.at("operator").error("W0114", message, f"use {', '.join(_OPERATORS)}")
        elif values is not bool(requirement.values):
            needs = "needs values" if values else "takes no values"
            yield there.error("W0114", f"{requirement.operator} {needs}")


def check_binding(spec: BindingOfRole, metadata: ObjectMeta) -> Findings:
    """A RoleBinding: a role of its namespace, or a ClusterRole's rules in its namespace."""
    yield from check_metadata(metadata, path_name=True)
    yield from _check_reference(spec, ("Role", "ClusterRole"))


def check_cluster_binding(spec: BindingOfRole, metadata: ObjectMeta) -> Findings:
    """A ClusterRoleBinding: a ClusterRole, everywhere."""
    yield from check_metadata(metadata, path_name=True)
    yield from _check_reference(spec, ("ClusterRole",))


def check_change_of_binding(old: BindingOfRole, new: BindingOfRole) -> Findings:
    """The role stays: whoever may change who gets it must not choose what they get."""
    if (old.role_ref.kind, old.role_ref.name) != (new.role_ref.kind, new.role_ref.name):
        advice = "delete the binding and create it anew"
        yield Here(path=("roleRef",)).error("W0131", "roleRef cannot be changed", advice, at_key=True)


def _check_reference(spec: BindingOfRole, kinds: tuple[str, ...]) -> Findings:
    here = Here(path=("roleRef",))
    reference = spec.role_ref
    if reference.api_group not in (None, "", GROUP):
        yield here.at("apiGroup").error("W0102", f'"{str(reference.api_group)[:80]}" has no roles', f"use {GROUP}")
    if reference.kind not in kinds:
        yield here.at("kind").error(
            "W0102", f'"{reference.kind[:80]}" is not a kind of role', f"use {' or '.join(kinds)}"
        )
    if not reference.name:
        yield here.at("name").error("W0105", "the role has no name")
    for index, subject in enumerate(spec.subjects):
        yield from _check_subject(Here(path=("subjects", index)), subject)


def _check_subject(here: Here, subject: RbacSubject) -> Findings:
    groups = {"User": (None, GROUP), "Group": (None, GROUP), "ServiceAccount": (None, "")}
    if subject.kind not in groups:
        message = f'"{subject.kind[:80]}" is not a kind of subject'
        yield here.at("kind").error("W0102", message, f"use {', '.join(groups)}")
    elif subject.api_group not in groups[subject.kind]:
        yield here.at("apiGroup").error("W0102", f"a {subject.kind} is not of this group", "leave it out")
    if not subject.name:
        yield here.at("name").error("W0105", "the subject has no name")
    if subject.kind == "ServiceAccount" and not subject.namespace:
        yield here.at("namespace").error("W0105", "a ServiceAccount is of a namespace")
