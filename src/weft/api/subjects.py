"""Who asks: the subject behind a credential."""

from collections.abc import Awaitable, Callable

from weft.api.permissions import Scope
from weft.kit.value import Value


class Subject(Value):
    """Somebody who was authenticated. ``scope`` is what the credential is limited to, whatever the roles allow.

    ``via`` is who acts as this subject, empty when nobody does.
    """

    name: str
    groups: tuple[str, ...] = ()
    scope: Scope = Scope()
    via: str = ""


Authenticate = Callable[[str], Awaitable[Subject | None]]
"""A bearer token to the subject that it proves."""
