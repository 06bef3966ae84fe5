"""Whose certificates are believed besides those of the mesh's own authority: a bundle for each trust domain."""

from weft.kit.value import Value
from weft.model.settings import Settings


class Bundle(Value):
    """The certificates, as PEM, that those of one trust domain must descend from."""

    trust_domain: str
    pem: str


def bundles_of(settings: Settings, own: str) -> tuple[Bundle, ...]:
    """A bundle for each trust domain, by name; none where the mesh's ``own`` (PEM) is all that counts.

    A certificate counts for the domain that it names, by that domain's bundle alone (SPIFFE Federation, 7.1): they are
    never one pool. An anchor that names no domains is one of the mesh's; an alias has the mesh's bundle unless an
    anchor names it.
    """
    if not settings.trust_anchors:
        return ()
    mesh = (settings.trust_domain, *settings.trust_domain_aliases)
    named = {domain for anchor in settings.trust_anchors for domain in anchor.domains}
    found = {domain: [own] for domain in mesh if domain == settings.trust_domain or domain not in named}
    for anchor in settings.trust_anchors:
        for domain in anchor.domains or tuple(one for one in mesh if one not in named):
            found.setdefault(domain, []).append(anchor.pem)
    return tuple(Bundle(trust_domain=name, pem="".join(pems)) for name, pems in sorted(found.items()))
