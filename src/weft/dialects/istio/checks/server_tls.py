"""TLS of a gateway's server: which certificates go with which mode."""

import base64
import binascii
import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.server_tls import ServerTlsSettings

CIPHERS = frozenset(
    f"{exchange}{cipher}"
    for exchange, ciphers in {
        "ECDHE-ECDSA-": ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA"),
        "ECDHE-RSA-": ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA"),
        "": ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"),
    }.items()
    for cipher in ciphers
)
"""What Envoy's TLS library knows up to TLS 1.2."""

_FILES = {
    "serverCertificate": "server_certificate",
    "privateKey": "private_key",
    "caCertificates": "ca_certificates",
    "caCrl": "ca_crl",
}
_CREDENTIALS = {
    "credentialName": "credential_name",
    "credentialNames": "credential_names",
    "caCertCredentialName": "ca_cert_credential_name",
}
_MOST_CERTIFICATES = 2
_HASH = re.compile(r"[0-9a-fA-F]{64}|(?:[0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}")


def check_server_tls(here: Here, tls: ServerTlsSettings) -> Findings:
    """Istio's ``validateTLSOptions``; then, what of it is served."""
    mode = tls.mode or "PASSTHROUGH"
    yield from _check_ciphers(here.at("cipherSuites"), tls.cipher_suites)
    yield from _check_versions(here, tls)
    yield from _check_hashes(here, tls)
    match mode:
        case "ISTIO_MUTUAL":
            yield from _check_istio_mutual(here, tls)
        case "PASSTHROUGH" | "AUTO_PASSTHROUGH":
            yield from _check_unused(here, tls, mode)
        case _:
            yield from _check_terminating(here, tls, mode)


def known_cipher(name: str) -> bool:
    """Whether the proxy knows a cipher; ``-``, ``+`` and ``!`` before its name are operators."""
    return name == "ALL" or name.lstrip("-+!") in CIPHERS


def _check_ciphers(here: Here, ciphers: tuple[str, ...]) -> Findings:
    for index, name in enumerate(ciphers):
        if not known_cipher(name):
            advice = "see the list in the guide on gateways"
            yield here.at(index).warning("W0128", f'"{name[:80]}" is no cipher that is known, so it is ignored', advice)
        elif name in ciphers[:index]:
            yield here.at(index).warning("W0117", f"{name} is there twice", "remove one of them")


def _check_versions(here: Here, tls: ServerTlsSettings) -> Findings:
    oldest, newest = tls.min_protocol_version or "TLS_AUTO", tls.max_protocol_version or "TLS_AUTO"
    if "TLS_AUTO" not in (oldest, newest) and oldest > newest:
        advice = "lower minProtocolVersion or raise maxProtocolVersion"
        yield here.at("minProtocolVersion").error("W0106", f"{oldest} is newer than {newest}", advice)


def _check_hashes(here: Here, tls: ServerTlsSettings) -> Findings:
    for index, text in enumerate(tls.verify_certificate_hash):
        if not _HASH.fullmatch(text):
            place = here.at("verifyCertificateHash", index)
            yield place.error("W0102", "not a SHA-256 hash in hex", "write 64 hex digits, or pairs with : between")
    for index, text in enumerate(tls.verify_certificate_spki):
        if not _is_spki(text):
            place = here.at("verifyCertificateSpki", index)
            yield place.error("W0102", "not a SHA-256 hash in base64", "write the 44 characters of base64")


def _is_spki(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _named(tls: ServerTlsSettings, fields: dict[str, str]) -> list[str]:
    return [name for name, attribute in fields.items() if getattr(tls, attribute)]


def _check_istio_mutual(here: Here, tls: ServerTlsSettings) -> Findings:
    for field in (*_named(tls, _FILES), *_named(tls, _CREDENTIALS)):
        yield here.at(field).error("W0106", f"ISTIO_MUTUAL uses the mesh's certificates, not {field}", at_key=True)
    if tls.tls_certificates:
        place = here.at("tlsCertificates")
        yield place.error("W0106", "ISTIO_MUTUAL uses the mesh's certificates, not tlsCertificates", at_key=True)
    for field, value in {
        "verifyCertificateSpki": tls.verify_certificate_spki,
        "verifyCertificateHash": tls.verify_certificate_hash,
        "insecureSkipVerify": tls.insecure_skip_verify,
        "maxProtocolVersion": tls.max_protocol_version not in (None, "TLS_AUTO", "TLSV1_3"),
    }.items():
        if value:
            yield here.at(field).unserved(f"{field} with ISTIO_MUTUAL", "remove it; the mesh speaks TLS 1.3")
    for field, said in {"minProtocolVersion": tls.min_protocol_version, "cipherSuites": tls.cipher_suites}.items():
        if said:
            message = f"the mesh speaks TLS 1.3 alone, so {field} has no effect"
            yield here.at(field).warning("W0128", message, "remove it", at_key=True)


def _check_unused(here: Here, tls: ServerTlsSettings, mode: str) -> Findings:
    for field in (*_named(tls, _FILES), *_named(tls, _CREDENTIALS)):
        message = f"{mode} does not end TLS, so {field} is not used"
        yield here.at(field).warning("W0128", message, "remove it, or set mode", at_key=True)


def _check_terminating(here: Here, tls: ServerTlsSettings, mode: str) -> Findings:
    yield from _check_sources(here, tls)
    secret = tls.credential_name or tls.credential_names
    if not secret:
        yield from _check_files(here, tls, mode)
    if tls.ca_certificates and tls.ca_cert_credential_name:
        place = here.at("caCertCredentialName")
        yield place.warning("W0128", "caCertificates is set, so caCertCredentialName is not used", at_key=True)
    if len(tls.credential_names) > _MOST_CERTIFICATES:
        place = here.at("credentialNames")
        yield place.warning("W0128", "a server has at most 2 certificates, the others are ignored", "remove them")
    for field in _named(tls, _CREDENTIALS):
        yield from _check_names(here.at(field), getattr(tls, _CREDENTIALS[field]))


def _check_names(here: Here, named: str | tuple[str, ...]) -> Findings:
    """Names of Secrets in the gateway's own namespace; Istio knows other kinds of names, which need its providers."""
    for index, name in enumerate((named,) if isinstance(named, str) else named):
        place = here if isinstance(named, str) else here.at(index)
        if "://" in name:
            yield place.unserved(f'"{name[:80]}" as the name of a secret', "name a secret of the gateway's namespace")


def _check_sources(here: Here, tls: ServerTlsSettings) -> Findings:
    sources = {
        "credentialName": bool(tls.credential_name),
        "credentialNames": bool(tls.credential_names),
        "serverCertificate and privateKey": bool(tls.server_certificate and tls.private_key),
        "tlsCertificates": bool(tls.tls_certificates),
    }
    given = [name for name, there in sources.items() if there]
    if len(given) > 1:
        yield here.error("W0106", f"only one of {' and '.join(given)} can be set", "remove the others", at_key=True)


def _check_files(here: Here, tls: ServerTlsSettings, mode: str) -> Findings:
    if mode != "SIMPLE" and not (tls.ca_certificates or tls.ca_cert_credential_name):
        yield here.error(
            "W0105", f"the mode {mode} needs caCertificates", "name the file of the clients' CA", at_key=True
        )
    if mode == "SIMPLE" and tls.ca_crl:
        yield here.at("caCrl").error("W0106", "caCrl is for modes that ask clients for a certificate", at_key=True)
    if not tls.tls_certificates:
        yield from _check_pair(here, tls.server_certificate, tls.private_key, mode)
    if len(tls.tls_certificates) > _MOST_CERTIFICATES:
        place = here.at("tlsCertificates")
        yield place.warning("W0128", "a server has at most 2 certificates, the others are ignored", "remove them")
    for index, one in enumerate(tls.tls_certificates):
        place = here.at("tlsCertificates", index)
        yield from _check_pair(place, one.server_certificate, one.private_key, mode)
        if one.ca_certificates:
            yield place.at("caCertificates").unserved("caCertificates of one certificate", "set it beside mode")


def _check_pair(here: Here, certificate: str | None, key: str | None, mode: str) -> Findings:
    for field, value in {"serverCertificate": certificate, "privateKey": key}.items():
        if not value:
            yield here.error("W0105", f"the mode {mode} needs {field}", f"set {field} to a file", at_key=True)
