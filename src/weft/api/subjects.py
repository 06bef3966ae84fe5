"""Who asks: the subject behind a credential."""

import re
from collections.abc import Awaitable, Callable

from weft.api.permissions import Scope
from weft.kit.value import Value

_NAME = re.compile(r"[^\x00-\x20\x7f]{1,253}")


class Subject(Value):
    """Somebody who was authenticated. ``scope`` is what the credential is limited to, whatever the roles allow.

    ``via`` is who acts as this subject, empty when nobody does; ``credential`` is the id of the API token shown.
    """

    name: str
    groups: tuple[str, ...] = ()
    scope: Scope = Scope()
    via: str = ""
    credential: str = ""


class Shown(Value):
    """What a client has shown: its certificate and those above it, up to the root, as DER, verified by OpenSSL."""

    chain: tuple[bytes, ...]


Authenticate = Callable[[str], Awaitable[Subject | None]]
"""A bearer token to the subject that it proves."""

AuthenticateShown = Callable[[Shown], Awaitable[Subject | None]]
"""A verified certificate to the subject that it proves."""


def is_name(text: str) -> bool:
    """Whether this can be the name of a user or a group: 1 to 253 characters, no spaces."""
    return _NAME.fullmatch(text) is not None
