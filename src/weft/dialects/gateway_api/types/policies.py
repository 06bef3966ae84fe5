"""ReferenceGrant and BackendTLSPolicy."""

from typing import Literal

from weft.dialects.gateway_api.types.common import (
    Group,
    Hostname,
    KindName,
    LocalObjectReference,
    Name,
    Namespace,
)
from weft.dialects.wire import Many, Strings, Wire, items, mapping, needed, unset


class ReferenceGrantFrom(Wire):
    """Who may refer."""

    group: Group = needed("Group of the kind, empty for the core.")
    kind: KindName = needed("Kind of the documents.")
    namespace: Namespace = needed("Their namespace.")


class ReferenceGrantTo(Wire):
    """What they may refer to in this namespace."""

    group: Group = needed("Group of the kind, empty for the core.")
    kind: KindName = needed("Kind of the objects.")
    name: Name | None = unset("A single object; all of the kind if unset.")


class ReferenceGrant(Wire):
    """Who of other namespaces may refer to objects of this one."""

    from_: Many[ReferenceGrantFrom] = items("Who may refer.", alias="from", max_length=16)
    to: Many[ReferenceGrantTo] = items("What they may refer to.", max_length=16)


class LocalPolicyTargetReference(Wire):
    """What the policy is for."""

    group: Group = needed("Group of the target, empty for a Service.")
    kind: KindName = needed("Kind of the target, Service.")
    name: Name = needed("Name of the target.")
    section_name: Name | None = unset("Name of a port of it; all of them if unset.")


class SubjectAltName(Wire):
    """A name that the server's certificate may have."""

    type: Literal["Hostname", "URI"] = needed("What kind of name.")
    hostname: Hostname | None = unset("With Hostname.")
    uri: str | None = unset("With URI.", min_length=1, max_length=253)


class BackendTlsPolicyValidation(Wire):
    """How the server is known."""

    ca_certificate_refs: Many[LocalObjectReference] = items(
        "ConfigMaps or Secrets with the authorities in ca.crt.", max_length=8
    )
    well_known_ca_certificates: str | None = unset(
        "System: the authorities that the proxy's host trusts.", alias="wellKnownCACertificates", max_length=253
    )
    hostname: Hostname = needed("The name that is asked for (SNI), and that the certificate must have.")
    subject_alt_names: Many[SubjectAltName] = items("Names, one of which the certificate must have.", max_length=5)


class BackendTlsPolicy(Wire):
    """TLS that a Service's backends want to be spoken to."""

    target_refs: Many[LocalPolicyTargetReference] = items("The Services.", max_length=16)
    validation: BackendTlsPolicyValidation = needed("How the server is known.")
    options: Strings = mapping("Settings that implementations define; weft knows none.", max_length=16)
