"""Istio's ServerTLSSettings: how a port answers callers that speak TLS."""

from typing import Literal

from weft.dialects.wire import Many, Wire, items, unset

TlsVersion = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class ServerCertificate(Wire):
    """One certificate of several."""

    server_certificate: str | None = unset("Path of the certificate chain.")
    private_key: str | None = unset("Path of the private key.")
    ca_certificates: str | None = unset("Path of the authorities that clients' certificates may come from.")


class ServerTls(Wire):
    """TLS that is ended here or passed on."""

    mode: Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] | None = (
        unset("What is asked of callers, PASSTHROUGH if unset.")
    )
    server_certificate: str | None = unset("Path of the certificate chain.")
    private_key: str | None = unset("Path of the private key.")
    ca_certificates: str | None = unset("Path of the authorities that callers' certificates may come from.")
    ca_crl: str | None = unset("Path of a list of certificates that are revoked.")
    credential_name: str | None = unset("Secret that holds key and certificate.")
    credential_names: Many[str] = items("Secrets that hold keys and certificates, of different kinds.")
    ca_cert_credential_name: str | None = unset("Secret that holds the authorities.")
    tls_certificates: Many[ServerCertificate] = items("Keys and certificates, of different kinds.")
    subject_alt_names: Many[str] = items("Names of which a caller's certificate must have one.")
    verify_certificate_hash: Many[str] = items("SHA-256 of callers' certificates, in hexadecimal digits.")
    verify_certificate_spki: Many[str] = items("SHA-256 of callers' public keys, in base64.")
    https_redirect: bool | None = unset("Whether plain HTTP is answered with a redirect to HTTPS.")
    min_protocol_version: TlsVersion | None = unset("Oldest version of TLS.")
    max_protocol_version: TlsVersion | None = unset("Newest version of TLS.")
    cipher_suites: Many[str] = items("Ciphers that may be used.")
    insecure_skip_verify: bool | None = unset("Whether callers with a wrong certificate are let in.")
