"""Who sees what, by ``exportTo``."""

from collections.abc import Sequence

EVERYBODY = "*"


def seen_by(export_to: Sequence[str], namespace: str) -> frozenset[str]:
    """The namespaces that see something; ``*`` for all."""
    return frozenset(namespace if entry == "." else entry for entry in export_to or (EVERYBODY,)) - {"~"}


def meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether some namespace sees both."""
    return bool(one and other) and (EVERYBODY in one or EVERYBODY in other or bool(one & other))
