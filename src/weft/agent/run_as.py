"""Another user for the application than for its agent."""

import os
import pwd
from collections.abc import Callable

from weft.kit.errors import UserError


def account(user: str) -> pwd.struct_passwd:
    """A user, by name or by number. Raises ``UserError``."""
    try:
        return pwd.getpwuid(int(user)) if user.isascii() and user.isdecimal() else pwd.getpwnam(user)
    except KeyError as unknown:
        raise UserError(f"there is no user {user}", help="check --run-as") from unknown


def becoming(user: str) -> tuple[Callable[[], None], dict[str, str]]:
    """What makes a process the user's, and how the user's environment differs. Raises ``UserError``."""
    who = account(user)
    if os.geteuid() not in (0, who.pw_uid):
        raise UserError(f"only root can run the application as {user}", help="leave --run-as out, or start as root")

    def become() -> None:
        if os.geteuid() != who.pw_uid:
            os.initgroups(who.pw_name, who.pw_gid)
            os.setgid(who.pw_gid)
            os.setuid(who.pw_uid)

    return become, {"HOME": who.pw_dir, "USER": who.pw_name, "LOGNAME": who.pw_name, "SHELL": who.pw_shell}
