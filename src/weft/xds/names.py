"""Names of resources as clients spell them and as they are compared.

``xdstp://`` names carry context parameters whose order means nothing (xRFC TP1); every other name is opaque.
"""

from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES

WILDCARD = "*"

STATE_TYPES = frozenset({CLUSTER, LISTENER})
"""Types whose first request without names means all, and where being left out of a full answer means removal."""

CHILD_TYPES = frozenset({ENDPOINTS, ROUTES, EXTENSION})
"""Types that end with their parent: Envoy ignores their removal and keeps what it has."""


def canonical(name: str) -> str:
    """The form under which a name is compared: context parameters of an ``xdstp`` name sorted."""
    if not name.startswith("xdstp:") or "?" not in name:
        return name
    path, _, rest = name.partition("?")
    query, hash_sign, fragment = rest.partition("#")
    return f"{path}?{'&'.join(sorted(query.split('&')))}{hash_sign}{fragment}"
