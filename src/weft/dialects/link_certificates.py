"""Whether the certificates that listeners name may and can be used."""

from collections.abc import Iterator

from weft.dialects.link_grants import Grants
from weft.dialects.parts import SECRET, Listener, Ref
from weft.dialects.verdicts import Verdict


def certificate_verdicts(owner: Ref, listener: Listener, grants: Grants) -> Iterator[Verdict]:
    """What is wrong with a listener's certificates, at most one word for each."""
    if not listener.certificates:
        yield _verdict("InvalidCertificateRef", "the listener has no certificate", listener.path, "add certificateRefs")
    for index, ref in enumerate(listener.certificates):
        path = (*listener.path, "tls", "certificateRefs", index)
        if (ref.group, ref.kind) != SECRET:
            message = f"{ref.kind} of {ref.group or 'the core'} is no kind of certificates"
            yield _verdict("InvalidCertificateRef", message, path, "name a Secret of the type kubernetes.io/tls")
        elif not grants.allow(owner, ref):
            advice = f"create a ReferenceGrant in {ref.namespace} from {owner.kind} of {owner.namespace} to Secret"
            yield _verdict("RefNotPermitted", f"{ref} may not be used from {owner.namespace}", path, advice)


def _verdict(reason: str, message: str, path: tuple[str | int, ...], advice: str) -> Verdict:
    return Verdict(type="ResolvedRefs", reason=reason, message=message, code="W0278", path=path, help=advice)
