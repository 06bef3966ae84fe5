"""The kinds of cert-manager that weft serves."""

from weft.dialects.certmanager.checks import check_certificate, check_challenge, check_issuer
from weft.dialects.certmanager.translate import translate_certificate, translate_challenge, translate_issuer
from weft.dialects.certmanager.types import Certificate, Challenge, Issuer
from weft.dialects.kinds import AGE, Column, Kind
from weft.dialects.served import Served

GROUP = "cert-manager.io"
_READY = Column(name="Ready", json_path='.status.conditions[?(@.type=="Ready")].status')
_STATUS = Column(name="Status", json_path='.status.conditions[?(@.type=="Ready")].message', priority=1)

ISSUER = Kind(
    group=GROUP,
    kind="Issuer",
    plural="issuers",
    singular="issuer",
    versions=("v1",),
    categories=("cert-manager",),
    columns=(_READY, _STATUS, AGE),
)
CLUSTER_ISSUER = Kind(
    group=GROUP,
    kind="ClusterIssuer",
    plural="clusterissuers",
    singular="clusterissuer",
    versions=("v1",),
    categories=("cert-manager",),
    namespaced=False,
    columns=(_READY, _STATUS, AGE),
)
CERTIFICATE = Kind(
    group=GROUP,
    kind="Certificate",
    plural="certificates",
    singular="certificate",
    versions=("v1",),
    short_names=("cert", "certs"),
    categories=("cert-manager",),
    columns=(
        _READY,
        Column(name="Secret", json_path=".spec.secretName"),
        Column(name="Issuer", json_path=".spec.issuerRef.name", priority=1),
        _STATUS,
        AGE,
    ),
)
CHALLENGE = Kind(
    group="acme.cert-manager.io",
    kind="Challenge",
    plural="challenges",
    singular="challenge",
    versions=("v1",),
    categories=("cert-manager", "cert-manager-acme"),
    columns=(Column(name="Domain", json_path=".spec.dnsName"), AGE),
)

SERVED = (
    Served(kind=ISSUER, spec=Issuer, check=check_issuer, translate=translate_issuer),
    Served(kind=CLUSTER_ISSUER, spec=Issuer, check=check_issuer, translate=translate_issuer),
    Served(kind=CERTIFICATE, spec=Certificate, check=check_certificate, translate=translate_certificate),
    Served(kind=CHALLENGE, spec=Challenge, check=check_challenge, translate=translate_challenge),
)
