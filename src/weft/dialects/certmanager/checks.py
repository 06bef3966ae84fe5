"""What can be wrong with issuers and certificates, and what of them is not served."""

import re

from weft.dialects.certmanager import types as wire
from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import fault_in_wildcard_domain, is_dns_subdomain, milliseconds

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ANSWER = re.compile(r"[A-Za-z0-9_.-]{1,512}")
VAULT_PATH = re.compile(r"(?P<mount>[A-Za-z0-9_./-]+)/sign/(?P<role>[A-Za-z0-9_.-]+)")
_SIZES = {"ECDSA": (256, 384, 521), "RSA": (2048, 3072, 4096)}
_SHORTEST = 3_600_000
_GROUPS = ("", "cert-manager.io")
ISSUERS = ("Issuer", "ClusterIssuer")


def check_issuer(spec: wire.Issuer, metadata: ObjectMeta) -> Findings:
    """One way to sign: an ACME server and how names are proven to it, a key pair, or the certificates' own keys."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    if spec.venafi is not None:
        yield here.at("venafi").unserved("an issuer of the kind venafi", "use acme, vault, ca or selfSigned")
    kinds = {"acme": spec.acme, "vault": spec.vault, "ca": spec.ca, "selfSigned": spec.self_signed}
    given = [name for name, value in kinds.items() if value is not None]
    if not given and spec.venafi is None:
        yield here.error("W0105", "the issuer says not who it is", "set acme, vault, ca or selfSigned", at_key=True)
    if len(given) > 1:
        yield here.at(given[1]).error("W0106", f"only one of {' and '.join(given)} can be set", at_key=True)
    if spec.acme is not None:
        yield from _check_acme(here.at("acme"), spec.acme)
    if spec.vault is not None:
        yield from _check_vault(here.at("vault"), spec.vault)
    yield from _check_local(here, spec)


def _check_vault(here: Here, vault: wire.Vault) -> Findings:
    if not vault.server.startswith("https://"):
        yield here.at("server").error("W0102", "not a URL", "write https://HOST:8200")
    if not VAULT_PATH.fullmatch(vault.path):
        yield here.at("path").error("W0102", "not the path of a role that signs", "write it as pki/sign/ROLE")
    ways = {"tokenSecretRef": vault.auth.token_secret_ref, "appRole": vault.auth.app_role}
    given = [name for name, value in ways.items() if value is not None]
    others = {"kubernetes": vault.auth.kubernetes, "clientCertificate": vault.auth.client_certificate}
    for name, value in others.items():
        if value is not None:
            yield here.at("auth", name).unserved(name, "use tokenSecretRef or appRole")
    if len(given) != 1 and not any(value is not None for value in others.values()):
        yield here.at("auth").error(
            "W0106", "one way to log in is needed", "set tokenSecretRef or appRole", at_key=True
        )
    unserved = {
        "caBundleSecretRef": vault.ca_bundle_secret_ref,
        "serverName": vault.server_name,
        "clientCertSecretRef": vault.client_cert_secret_ref,
        "clientKeySecretRef": vault.client_key_secret_ref,
    }
    for name, part in unserved.items():
        if part:
            yield here.at(name).unserved(name)


def _check_local(here: Here, spec: wire.Issuer) -> Findings:
    if spec.ca is not None:
        place = here.at("ca")
        if not is_dns_subdomain(spec.ca.secret_name):
            yield place.at("secretName").error("W0125", "this is no name of a Secret")
        for name, value in (
            ("crlDistributionPoints", spec.ca.crl_distribution_points),
            ("ocspServers", spec.ca.ocsp_servers),
            ("issuingCertificateURLs", spec.ca.issuing_certificate_urls),
        ):
            if value:
                yield place.at(name).unserved(name)
    if spec.self_signed is not None and spec.self_signed.crl_distribution_points:
        yield here.at("selfSigned", "crlDistributionPoints").unserved("crlDistributionPoints")


def _check_acme(here: Here, acme: wire.Acme) -> Findings:
    if not acme.server.startswith(("https://", "http://")):
        yield here.at("server").error("W0102", "not a URL", "write the URL of the directory, with https://")
    if not is_dns_subdomain(acme.private_key_secret_ref.name):
        yield here.at("privateKeySecretRef", "name").error("W0125", "this is no name of a Secret")
    unserved = {
        "disableAccountKeyGeneration": acme.disable_account_key_generation,
        "enableDurationFeature": acme.enable_duration_feature,
    }
    for name, value in unserved.items():
        if value:
            yield here.at(name).unserved(name)
    for index, solver in enumerate(acme.solvers):
        yield from _check_solver(here.at("solvers", index), solver)


def _check_solver(here: Here, solver: wire.Solver) -> Findings:
    if solver.dns01 is not None:
        yield here.at("dns01").unserved("proof by DNS", "use http01")
    if solver.selector is not None:
        yield here.at("selector").unserved("a selector of a solver", "remove it; every name is proven over HTTP")
    http = solver.http01
    for name in ("ingress", "gatewayHTTPRoute"):
        value = None if http is None else http.ingress if name == "ingress" else http.gateway_http_route
        if value:
            message = f"{name} has no effect: every gateway answers, on its ports for plaintext HTTP"
            yield here.at("http01", name).warning("W0128", message, "write http01: {}", at_key=True)


def check_certificate(spec: wire.Certificate, metadata: ObjectMeta) -> Findings:
    """Names that can be proven over HTTP, and a key that proxies can use."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    if not is_dns_subdomain(spec.secret_name):
        yield here.at("secretName").error("W0125", "this is no name of a Secret")
    if not (spec.dns_names or spec.common_name):
        yield here.error("W0105", "the certificate is for no name", "set dnsNames", at_key=True)
    for index, name in enumerate(spec.dns_names):
        yield from _check_name(here.at("dnsNames", index), name)
    if spec.common_name and spec.common_name not in spec.dns_names:
        yield from _check_name(here.at("commonName"), spec.common_name)
    yield from _check_reference(here.at("issuerRef"), spec.issuer_ref)
    yield from _check_key(here.at("privateKey"), spec.private_key)
    yield from _check_times(here, spec)
    yield from _check_unserved(here, spec)


def _check_name(here: Here, name: str) -> Findings:
    if fault := fault_in_wildcard_domain(name):
        yield here.error("W0107", fault)
    elif "*" in name:
        yield here.unserved("a certificate for a wildcard", "name each host; a wildcard can only be proven by DNS")


def _check_reference(here: Here, reference: wire.IssuerReference) -> Findings:
    if reference.kind not in (None, "", *ISSUERS):
        yield here.at("kind").unserved(f'an issuer of the kind "{(reference.kind or "")[:80]}"', "use ClusterIssuer")
    if (reference.group or "") not in _GROUPS:
        yield here.at("group").unserved(f'an issuer of the group "{(reference.group or "")[:80]}"')


def _check_key(here: Here, key: wire.PrivateKey | None) -> Findings:
    if key is None:
        return
    if key.algorithm == "Ed25519":
        yield here.at("algorithm").unserved("Ed25519", "use ECDSA; proxies and browsers know no Ed25519")
    elif key.size is not None and key.size not in (sizes := _SIZES[key.algorithm or "ECDSA"]):
        yield here.at("size").error("W0111", f"not a size of the algorithm: {', '.join(map(str, sizes))}")
    if key.rotation_policy == "Never":
        yield here.at("rotationPolicy").unserved("keeping the key", "remove it; every certificate has a new key")
    if key.encoding == "PKCS1":
        yield here.at("encoding").unserved("PKCS1", "remove it; keys are PKCS8, which everybody reads")


def _check_times(here: Here, spec: wire.Certificate) -> Findings:
    if spec.renew_before is not None and spec.renew_before_percentage is not None:
        place = here.at("renewBeforePercentage")
        yield place.error("W0106", "only one of renewBefore and renewBeforePercentage can be set", at_key=True)
    if spec.renew_before is not None and (milliseconds(spec.renew_before) or 0) < 1000:
        yield here.at("renewBefore").error("W0108", "less than a second before its end is too late")
    if spec.renew_before_percentage is not None and not 0 < spec.renew_before_percentage < 100:
        yield here.at("renewBeforePercentage").error("W0111", "a percentage between 1 and 99")
    if spec.duration is not None and (milliseconds(spec.duration) or 0) < _SHORTEST:
        yield here.at("duration").error("W0108", "a certificate lives for an hour at least")


def _check_unserved(here: Here, spec: wire.Certificate) -> Findings:
    fields = {
        "ipAddresses": spec.ip_addresses,
        "uris": spec.uris,
        "emailAddresses": spec.email_addresses,
        "otherNames": spec.other_names,
        "subject": spec.subject,
        "literalSubject": spec.literal_subject,
        "keystores": spec.keystores,
        "encodeUsagesInRequest": spec.encode_usages_in_request,
        "additionalOutputFormats": spec.additional_output_formats,
        "nameConstraints": spec.name_constraints,
    }
    for name, value in fields.items():
        if value:
            yield here.at(name).unserved(name)


def check_challenge(spec: wire.Challenge, metadata: ObjectMeta) -> Findings:
    """What may stand in a path and in an answer."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_name(here.at("dnsName"), spec.dns_name)
    if spec.type != "HTTP-01":
        yield here.at("type").unserved("proof by DNS", "use HTTP-01")
    if not _TOKEN.fullmatch(spec.token):
        yield here.at("token").error("W0102", "not a token of ACME (RFC 8555, 8.1)")
    if not _ANSWER.fullmatch(spec.key):
        yield here.at("key").error("W0102", "not a key authorization of ACME (RFC 8555, 8.1)")
