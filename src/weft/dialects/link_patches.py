"""The order in which patches are made."""

from collections.abc import Iterable

from weft.model.extension import Patch
from weft.model.settings import Settings


def linked_patches(patches: Iterable[Patch], settings: Settings) -> tuple[Patch, ...]:
    """Smaller priorities first, then the root namespace's, then the oldest document's (Istio: ``EnvoyFilter``)."""

    def order(patch: Patch) -> tuple[int, bool, str, str, str]:
        origin = patch.origin
        abroad = patch.namespace != settings.root_namespace
        return (patch.priority, abroad, origin.created, origin.key.name, origin.key.namespace)

    return tuple(sorted(patches, key=order))
