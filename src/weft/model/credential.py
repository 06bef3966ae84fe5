"""Certificates that are kept among the documents: by name, and what may be known of them.

Nothing secret is in these nouns. A proxy's resources name a credential; its content goes to the proxy apart from them.
"""

from weft.kit.value import Value
from weft.model.document import Key

AUTHORITIES_SUFFIX = "-cacert"
"""What Istio appends to a credential's name for the Secret of authorities beside it."""


class Credential(Value):
    """The name of a certificate with its key, or of authorities, in a v1 Secret (authorities: also a ConfigMap).

    ``namespace`` "" is that of the proxy which uses it. Another one is for proxies of the namespaces in ``granted``
    alone, ``*`` for all: who makes it has checked that (Gateway API: ``ReferenceGrant``). ``gateways_only``: sidecars
    are not given it (Istio: a DestinationRule without ``workloadSelector``). ``config_map``: it is one, not a Secret.
    """

    name: str
    namespace: str = ""
    granted: tuple[str, ...] = ()
    gateways_only: bool = False
    config_map: bool = False


class StoredCredential(Value):
    """What may be known of a Secret or a ConfigMap that can hold certificates.

    ``certificate`` and ``authorities`` say whether they are there and can be used, ``faults`` why not. ``names`` are
    those that the certificate is good for; times are seconds since the epoch, of the first certificate that ends.
    ``version`` differs whenever anything public in it does.
    """

    key: Key
    certificate: bool = False
    authorities: bool = False
    certificate_fault: str = ""
    authorities_fault: str = ""
    names: tuple[str, ...] = ()
    not_before: int | None = None
    not_after: int | None = None
    version: str = ""


def places_of(credential: Credential, namespace: str, *, authorities: bool) -> tuple[Key, ...]:
    """Where the content is looked for, for a proxy of a namespace; what is there first is it (as in istiod).

    Authorities are in the Secret beside the certificate's (``-cacert``) or in that one, else in ConfigMaps.
    """
    space = credential.namespace or namespace
    if not authorities:
        return (Key(kind="Secret", namespace=space, name=credential.name),)
    base = credential.name.removesuffix(AUTHORITIES_SUFFIX)
    kinds = ("ConfigMap",) if credential.config_map else ("Secret", "ConfigMap")
    names = (base + AUTHORITIES_SUFFIX, base)
    return tuple(Key(kind=kind, namespace=space, name=name) for kind in kinds for name in names)


def permitted(credential: Credential, namespace: str, *, gateway: bool) -> bool:
    """Whether a proxy of a namespace may have a credential that its resources name."""
    if credential.gateways_only and not gateway:
        return False
    return credential.namespace in ("", namespace) or not {namespace, "*"}.isdisjoint(credential.granted)
