"""ReferenceGrant and BackendTLSPolicy as parts that link looks up."""

from weft.dialects.findings import Here
from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.refs import generation
from weft.dialects.gateway_api.types import policies as wire
from weft.dialects.parts import BackendTlsPart, GrantPart, Ref
from weft.dialects.served import Subject

SYSTEM = "System"


def translate_grant(spec: wire.ReferenceGrant, subject: Subject) -> Fragment:
    """A grant."""
    part = GrantPart(
        origin=subject.origin,
        generation=generation(subject),
        granted=tuple((one.group, one.kind, one.namespace) for one in spec.from_),
        objects=tuple((one.group, one.kind, one.name or "") for one in spec.to),
    )
    return Fragment(key=subject.key, part=part)


def translate_backend_tls(spec: wire.BackendTlsPolicy, subject: Subject) -> Fragment:
    """TLS that services want to be spoken to."""
    here, validation = Here(path=("spec", "targetRefs")), spec.validation
    part = BackendTlsPart(
        origin=subject.origin,
        generation=generation(subject),
        targets=tuple(
            (_ref(one, subject), one.section_name or "", here.at(index).path)
            for index, one in enumerate(spec.target_refs)
        ),
        hostname=validation.hostname,
        names=tuple(one.hostname or one.uri or "" for one in validation.subject_alt_names),
        authorities=tuple(
            Ref(group=one.group, kind=one.kind, namespace=subject.namespace, name=one.name)
            for one in validation.ca_certificate_refs
        ),
        system=validation.well_known_ca_certificates == SYSTEM,
    )
    return Fragment(key=subject.key, part=part)


def _ref(target: wire.LocalPolicyTargetReference, subject: Subject) -> Ref:
    return Ref(group=target.group, kind=target.kind, namespace=subject.namespace, name=target.name)
