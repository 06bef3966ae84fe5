"""Kubernetes' roles and bindings (rbac.authorization.k8s.io/v1): who may do what with the API."""

from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset


class PolicyRule(Wire):
    """Verbs on resources, or on paths that are no resources."""

    verbs: Many[str] = needed("What may be done: get, list, watch, create, update, patch, delete, ..., or *.")
    api_groups: Many[str] = items('Groups of the resources; "" is the core, * is all.')
    resources: Many[str] = items("Resources in the plural, as in paths; a subresource follows a slash; * is all.")
    resource_names: Many[str] = items("Only objects of these names; empty for all.")
    non_resource_urls: Many[str] = items(
        "Paths that are no resources, of ClusterRoles only; a * stands at the end.", alias="nonResourceURLs"
    )


class Requirement(Wire):
    """A condition on a label."""

    key: str = needed("The label.")
    operator: str = needed("In, NotIn, Exists or DoesNotExist.")
    values: Many[str] = items("Values of In and NotIn.")


class LabelSelector(Wire):
    """Chooses objects by their labels; all conditions must hold."""

    match_labels: Strings = mapping("Labels that objects must have.")
    match_expressions: Many[Requirement] = items("Further conditions.")


class AggregationRule(Wire):
    """A ClusterRole that is the sum of others."""

    cluster_role_selectors: Many[LabelSelector] = items("The ClusterRoles whose rules are added up; any may match.")


class RoleRules(Wire):
    """What a role allows in its namespace."""

    rules: Many[PolicyRule] = items("What is allowed; everything else is not.")


class ClusterRoleRules(RoleRules):
    """What a role allows, in every namespace or where a RoleBinding says."""

    aggregation_rule: AggregationRule | None = unset("Makes the rules out of other ClusterRoles.")


class RbacSubject(Wire):
    """Somebody who is given a role."""

    kind: str = needed("User, Group or ServiceAccount.")
    name: str = needed("Name of the user, the group or the account.")
    namespace: str | None = unset("Namespace of a ServiceAccount.")
    api_group: str | None = unset('rbac.authorization.k8s.io for users and groups, "" for accounts; may be left out.')


class RoleReference(Wire):
    """The role that is given."""

    api_group: str | None = unset("rbac.authorization.k8s.io; may be left out.")
    kind: str = needed("Role or ClusterRole.")
    name: str = needed("Name of the role.")


class BindingOfRole(Wire):
    """Gives a role to subjects."""

    subjects: Many[RbacSubject] = items("Who gets the role.")
    role_ref: RoleReference = needed("The role; it can never be changed.")
