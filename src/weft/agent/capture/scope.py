"""What the workload's connections are told by, decided and made ready."""

import os

from weft.agent.capture import cgroup
from weft.agent.capture.config import CaptureConfig, Scope
from weft.agent.capture.host import has_capability
from weft.agent.capture.rules import ByOthers, ByUser, Who
from weft.agent.run_as import account
from weft.kit.errors import UserError

_NET_ADMIN = 12
_MARK = 0x57450000


def scope_of(workload: str, config: CaptureConfig, user: str) -> Who:
    """The workload's cgroup, or the user that it runs as where that is asked for or there is no other way.

    Nothing is changed by asking. Raises ``UserError``.
    """
    if not has_capability(_NET_ADMIN):
        raise UserError(
            "capture needs root, or CAP_NET_ADMIN",
            help="give it, or let the application have a network of its own: --capture=network",
        )
    if config.scope is Scope.POD:
        return by_others(os.getegid())
    if config.scope is Scope.USER:
        return by_user(user)
    try:
        return cgroup.cgroup_of(workload)
    except UserError:
        if config.scope is Scope.CGROUP or not user:
            raise
        return by_user(user)


def is_apart(config: CaptureConfig | None) -> bool:
    """Whether the application gets a network of its own: that is asked for, or nothing else is allowed."""
    if config is None:
        return False
    return config.scope is Scope.NETWORK or (config.scope is Scope.AUTO and not has_capability(_NET_ADMIN))


def by_user(user: str) -> ByUser:
    """The scope of a user who runs nothing else."""
    if not user:
        raise UserError("capture by user needs one", help="give the application a user of its own: --run-as USER")
    uid = account(user).pw_uid
    if uid in (0, os.geteuid()):
        raise UserError(
            f"the user {user} is also the sidecar's, so their connections cannot be told apart",
            help="give the application a user of its own: --run-as USER",
        )
    return ByUser(uid=uid)


def by_others(group: int) -> ByOthers:
    """The scope of all in this network namespace that have not the sidecar's group."""
    if group == 0:
        raise UserError(
            "capture of a pod needs a group that only the sidecar has, and it runs as root's",
            help="give its container a runAsGroup, as weft inject --capture does",
        )
    return ByOthers(gid=group)


def mark_of(inbound: int) -> int:
    """The mark of a sidecar's connections to its application: no other sidecar of this host has its port.

    None (0) where no rules of this host turn what others open.
    """
    return _MARK | inbound if inbound else 0
