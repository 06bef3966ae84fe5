"""ReferenceGrant and BackendTLSPolicy."""

from weft.dialects.findings import Findings, Here
from weft.dialects.gateway_api.checks.common import check_hostname
from weft.dialects.gateway_api.types import policies as wire
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_grant(spec: wire.ReferenceGrant, metadata: ObjectMeta) -> Findings:
    """Somebody may refer to something."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    for field, entries in (("from", spec.from_), ("to", spec.to)):
        if not entries:
            yield here.error("W0105", f'the field "{field}" is required', f"add {field}", at_key=True)


def check_backend_tls(spec: wire.BackendTlsPolicy, metadata: ObjectMeta) -> Findings:
    """Targets, and one way to know the server."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_targets(here.at("targetRefs"), spec)
    validation, place = spec.validation, here.at("validation")
    yield from check_hostname(place.at("hostname"), validation.hostname, wildcard=False)
    known, refs = validation.well_known_ca_certificates, validation.ca_certificate_refs
    if refs and known:
        message = "authorities are either named or those of the proxy's host"
        yield place.at("wellKnownCACertificates").error("W0106", message, "remove one of them", at_key=True)
    elif not refs and not known:
        yield place.error("W0105", "nobody is trusted", "add caCertificateRefs or wellKnownCACertificates: System")
    if known and known != "System":
        yield place.at("wellKnownCACertificates").unserved(f"the set of authorities {known[:80]}", "use System")
    for index, name in enumerate(validation.subject_alt_names):
        yield from _check_name(place.at("subjectAltNames", index), name)
    if spec.options:
        yield here.at("options").warning("W0128", "weft knows no options of TLS", "remove them", at_key=True)


def _check_targets(here: Here, spec: wire.BackendTlsPolicy) -> Findings:
    if not spec.target_refs:
        yield here.error("W0105", "a policy needs targets", "name a Service", at_key=True)
    seen: set[tuple[str, str, str, str | None]] = set()
    for index, one in enumerate(spec.target_refs):
        target = (one.group, one.kind, one.name, one.section_name)
        if target in seen:
            yield here.at(index).error("W0117", f"{one.kind} {one.name} is there twice", "remove one of them")
        seen.add(target)


def _check_name(here: Here, name: wire.SubjectAltName) -> Findings:
    values = {"Hostname": ("hostname", name.hostname), "URI": ("uri", name.uri)}
    for kind, (field, value) in values.items():
        if kind == name.type and not value:
            yield here.error("W0105", f"a name of the type {kind} needs {field}", f"add {field}")
        elif kind != name.type and value:
            yield here.at(field).error("W0106", f"a name of the type {name.type} cannot have {field}", at_key=True)
    if name.type == "Hostname" and name.hostname:
        yield from check_hostname(here.at("hostname"), name.hostname)
