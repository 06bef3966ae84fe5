"""What the mesh's settings say to every port of a proxy."""

from weft.kit.memo import memo
from weft.model.settings import Settings
from weft.view.view import Norms


@memo(8)
def norms_of(settings: Settings) -> Norms:
    """The norms; equal settings give one object."""
    return Norms(
        paths=settings.paths, inspection_timeout=settings.inspection_timeout, aliases=settings.trust_domain_aliases
    )
