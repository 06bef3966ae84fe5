"""The kinds of rbac.authorization.k8s.io: who may do what with the API. They say nothing of the mesh."""

from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.kubernetes import cells
from weft.dialects.kubernetes.rbac_check import (
    GROUP,
    check_binding,
    check_change_of_binding,
    check_cluster_binding,
    check_cluster_role,
    check_role,
)
from weft.dialects.kubernetes.rbac_type import BindingOfRole, ClusterRoleRules, RoleRules
from weft.dialects.served import Served


def _kind(name: str, columns: tuple[Column, ...], *, namespaced: bool) -> Kind:
    singular = name.lower()
    return Kind(
        group=GROUP,
        kind=name,
        plural=f"{singular}s",
        singular=singular,
        versions=("v1",),
        namespaced=namespaced,
        columns=columns,
        flat=True,
    )


_CREATED = Column(name="Created At", json_path=AGE.json_path, description=AGE.description)
_BINDING = (
    Column(name="Role", json_path=".roleRef", description="The role that is given.", cell=cells.role),
    AGE,
    Column(name="Users", json_path=".subjects", description="Users who get it.", priority=1, cell=cells.users),
    Column(name="Groups", json_path=".subjects", description="Groups that get it.", priority=1, cell=cells.groups),
    Column(name="ServiceAccounts", json_path=".subjects", description="Accounts.", priority=1, cell=cells.accounts),
)

ROLE = _kind("Role", (_CREATED,), namespaced=True)
CLUSTER_ROLE = _kind("ClusterRole", (_CREATED,), namespaced=False)
ROLE_BINDING = _kind("RoleBinding", _BINDING, namespaced=True)
CLUSTER_ROLE_BINDING = _kind("ClusterRoleBinding", _BINDING, namespaced=False)

SERVED = (
    Served(kind=ROLE, spec=RoleRules, check=check_role, translate=None),
    Served(kind=CLUSTER_ROLE, spec=ClusterRoleRules, check=check_cluster_role, translate=None),
    Served(
        kind=ROLE_BINDING,
        spec=BindingOfRole,
        check=check_binding,
        translate=None,
        check_change=check_change_of_binding,
    ),
    Served(
        kind=CLUSTER_ROLE_BINDING,
        spec=BindingOfRole,
        check=check_cluster_binding,
        translate=None,
        check_change=check_change_of_binding,
    ),
)
