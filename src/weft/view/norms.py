"""What the mesh's settings say to every port of a proxy."""

from weft.kit.memo import memo
from weft.model.settings import Settings
from weft.view.view import Norms


@memo(16)
def norms_of(settings: Settings, http10: bool = False) -> Norms:
    """The norms; equal settings give one object. ``http10``: the proxy takes HTTP/1.0 too."""
    return Norms(
        paths=settings.paths,
        inspection_timeout=settings.inspection_timeout,
        aliases=settings.trust_domain_aliases,
        http10=http10,
        revoked=settings.revoked,
    )
