"""Who may refer to objects of other namespaces (Gateway API: ``ReferenceGrant``)."""

from collections.abc import Iterable

from weft.dialects.parts import GrantPart, Ref

_Side = tuple[str, str, str]


class Grants:
    """All grants, for asking."""

    def __init__(self, parts: Iterable[GrantPart]) -> None:
        self._granted: dict[str, list[tuple[frozenset[_Side], frozenset[_Side]]]] = {}
        for part in parts:
            grant = (frozenset(part.granted), frozenset(part.objects))
            self._granted.setdefault(part.namespace, []).append(grant)

    def allow(self, who: Ref, whom: Ref) -> bool:
        """Whether a document may refer to an object; in its own namespace it always may."""
        if who.namespace == whom.namespace:
            return True
        referrer = (who.group, who.kind, who.namespace)
        wanted = {(whom.group, whom.kind, ""), (whom.group, whom.kind, whom.name)}
        return any(
            referrer in granted and wanted & objects for granted, objects in self._granted.get(whom.namespace, ())
        )
