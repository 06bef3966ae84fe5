"""Istio's ServerTLSSettings: how a port answers callers that speak TLS."""

from typing import Literal

from weft.dialects.wire import Many, Wire, items, unset

TlsVersion = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class TlsCertificate(Wire):
    """One of several certificates of a server."""

    server_certificate: str | None = unset("File with the certificate chain.")
    private_key: str | None = unset("File with the key.")
    ca_certificates: str | None = unset("File with the authorities of clients.")


class ServerTlsSettings(Wire):
    """TLS between clients and the gateway."""

    https_redirect: bool | None = unset("Answer plaintext requests with 301 to https.")
    mode: Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] | None = (
        unset("Who ends TLS and whether clients show a certificate; PASSTHROUGH if unset.")
    )
    server_certificate: str | None = unset("File on the gateway's host with the certificate chain.")
    private_key: str | None = unset("File on the gateway's host with the key.")
    ca_certificates: str | None = unset("File on the gateway's host with the authorities of clients.")
    ca_crl: str | None = unset("File on the gateway's host with revoked certificates of clients.")
    credential_name: str | None = unset("Name of the secret with certificate and key.")
    credential_names: Many[str] = items("Names of the secrets, when there are two certificates.")
    ca_cert_credential_name: str | None = unset("Name of the secret with the authorities of clients.")
    tls_certificates: Many[TlsCertificate] = items("Files of several certificates, one for each kind of key.")
    subject_alt_names: Many[str] = items("Names of which a client's certificate must have one.")
    verify_certificate_spki: Many[str] = items("SHA-256 hashes in base64 of the keys that clients may have.")
    verify_certificate_hash: Many[str] = items("SHA-256 hashes in hex of the certificates that clients may have.")
    min_protocol_version: TlsVersion | None = unset("Oldest version of TLS, 1.2 if unset.")
    max_protocol_version: TlsVersion | None = unset("Newest version of TLS, 1.3 if unset.")
    cipher_suites: Many[str] = items("Ciphers up to TLS 1.2, in OpenSSL's names.")
    insecure_skip_verify: bool | None = unset("Let clients through whose certificate cannot be verified.")
