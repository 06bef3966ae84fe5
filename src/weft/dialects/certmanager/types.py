"""cert-manager.io/v1 Issuer and Certificate, and acme.cert-manager.io/v1 Challenge."""

from typing import Any, Literal

from weft.dialects.wire import Base64, Duration, Int32, Many, Strings, Wire, items, mapping, needed, unset


class SecretKey(Wire):
    """A key of a Secret."""

    name: str = needed("Name of the Secret.")
    key: str | None = unset("The key in it, tls.key if unset.")


class ExternalAccount(Wire):
    """An account that exists at the authority already."""

    key_id: str = needed("What the authority calls the account.", alias="keyID")
    key_secret_ref: SecretKey = needed("Where the account's MAC key is.")
    key_algorithm: Literal["HS256", "HS384", "HS512"] | None = unset("No longer used.")


class SolverSelector(Wire):
    """Which names a solver is for."""

    match_labels: Strings = mapping("Labels of the certificates.")
    dns_names: Many[str] = items("Exact names.")
    dns_zones: Many[str] = items("Zones of names.")


class Http01(Wire):
    """Proof by an answer over HTTP."""

    ingress: dict[str, Any] | None = unset("How an Ingress is made for the answer.")
    gateway_http_route: dict[str, Any] | None = unset("How a HTTPRoute is made for it.", alias="gatewayHTTPRoute")


class Solver(Wire):
    """A way to prove that one has a name."""

    selector: SolverSelector | None = unset("Which names it is for, all if unset.")
    http01: Http01 | None = unset("By an answer over HTTP, at every gateway.", alias="http01")
    dns01: dict[str, Any] | None = unset("By a record in DNS.", alias="dns01")


class Acme(Wire):
    """An authority that speaks ACME."""

    server: str = needed("URL of the authority's directory.")
    private_key_secret_ref: SecretKey = needed("The Secret with the account's key; it is made if it is not there.")
    email: str | None = unset("Whom the authority writes to.")
    solvers: Many[Solver] = items("Ways to prove that one has a name.")
    external_account_binding: ExternalAccount | None = unset("An account that exists at the authority already.")
    preferred_chain: str | None = unset("Common name of the root that the chain should lead to.")
    ca_bundle: Base64 | None = unset("PEM in base64: who signed the server's own certificate.", alias="caBundle")
    skip_tls_verify: bool | None = unset("Do not check the server's own certificate.", alias="skipTLSVerify")
    disable_account_key_generation: bool | None = unset("Fail where the account's key is not there.")
    enable_duration_feature: bool | None = unset("Ask for a duration.")
    profile: str | None = unset("A kind of certificate that the authority offers.")


class CaIssuer(Wire):
    """A key pair in a Secret."""

    secret_name: str = needed("The Secret with the authority's key pair, tls.crt and tls.key.")
    crl_distribution_points: Many[str] = items("Where revoked certificates are listed.")
    ocsp_servers: Many[str] = items("Who tells whether a certificate is revoked.")
    issuing_certificate_urls: Many[str] = items(
        "Where the authority's own certificate is.", alias="issuingCertificateURLs"
    )


class SelfSigned(Wire):
    """Certificates that are signed by their own keys."""

    crl_distribution_points: Many[str] = items("Where revoked certificates are listed.")


class VaultAppRole(Wire):
    """A login as an AppRole."""

    path: str = needed("Where the AppRole engine is mounted.")
    role_id: str = needed("The role's id.")
    secret_ref: SecretKey = needed("Where the secret id is.")


class VaultAuth(Wire):
    """How to log in to Vault."""

    token_secret_ref: SecretKey | None = unset("Where a token is.")
    app_role: VaultAppRole | None = unset("As an AppRole.")
    kubernetes: dict[str, Any] | None = unset("As an account of Kubernetes.")
    client_certificate: dict[str, Any] | None = unset("By a client certificate.")


class Vault(Wire):
    """The PKI engine of HashiCorp Vault or OpenBao."""

    server: str = needed("Its address.")
    path: str = needed("What signs: MOUNT/sign/ROLE.")
    auth: VaultAuth = needed("How to log in.")
    namespace: str | None = unset("The namespace of Vault Enterprise.")
    ca_bundle: Base64 | None = unset("PEM in base64: who signed the server's own certificate.", alias="caBundle")
    ca_bundle_secret_ref: SecretKey | None = unset("A Secret with that.")
    server_name: str | None = unset("The name in the server's own certificate.")
    client_cert_secret_ref: SecretKey | None = unset("A certificate that is shown to Vault.")
    client_key_secret_ref: SecretKey | None = unset("Its key.")


class Issuer(Wire):
    """Who signs certificates."""

    acme: Acme | None = unset("An authority that speaks ACME.")
    ca: CaIssuer | None = unset("A key pair in a Secret.")
    self_signed: SelfSigned | None = unset("The certificates' own keys.")
    vault: Vault | None = unset("HashiCorp Vault.")
    venafi: dict[str, Any] | None = unset("Venafi.")


class IssuerReference(Wire):
    """An issuer."""

    name: str = needed("Name of the issuer.")
    kind: str | None = unset("Issuer or ClusterIssuer; Issuer if unset.")
    group: str | None = unset("cert-manager.io if unset.")


class PrivateKey(Wire):
    """The certificate's key."""

    algorithm: Literal["RSA", "ECDSA", "Ed25519"] | None = unset("Kind of the key, ECDSA if unset (cert-manager: RSA).")
    size: Int32 | None = unset("Bits: 2048, 3072 or 4096 of RSA; 256, 384 or 521 of ECDSA.")
    encoding: Literal["PKCS1", "PKCS8"] | None = unset("How the key is written.")
    rotation_policy: Literal["Never", "Always"] | None = unset("Whether every certificate gets a new key.")


class SecretTemplate(Wire):
    """What the Secret has besides."""

    annotations: Strings = mapping("Annotations of the Secret.")
    labels: Strings = mapping("Labels of the Secret.")


class Certificate(Wire):
    """A certificate that is obtained, kept in a Secret and renewed."""

    secret_name: str = needed("Name of the Secret that it is kept in.")
    issuer_ref: IssuerReference = needed("Who signs it.")
    dns_names: Many[str] = items("Names that it is for.")
    common_name: str | None = unset("One of the names, which is in the subject too.")
    duration: Duration | None = unset("How long it is good for, 90 days if unset; ACME authorities decide themselves.")
    renew_before: Duration | None = unset("How long before its end it is renewed; the last third of its life if unset.")
    renew_before_percentage: Int32 | None = unset("Likewise, in percent of its life.")
    private_key: PrivateKey | None = unset("Its key.")
    secret_template: SecretTemplate | None = unset("What the Secret has besides.")
    usages: Many[str] = items("What its key may be used for; the authority decides.")
    revision_history_limit: Int32 | None = unset("How many requests are kept.")
    ip_addresses: Many[str] = items("Addresses that it is for.")
    uris: Many[str] = items("URIs that it is for.")
    email_addresses: Many[str] = items("E-mail addresses that it is for.")
    other_names: Many[dict[str, Any]] = items("Other names that it is for.")
    subject: dict[str, Any] | None = unset("The rest of its subject.")
    literal_subject: str | None = unset("Its subject as text.")
    is_ca: bool | None = unset("Whether it may sign others.", alias="isCA")
    keystores: dict[str, Any] | None = unset("Other forms in which it is kept.")
    encode_usages_in_request: bool | None = unset("Ask for the usages.")
    additional_output_formats: Many[dict[str, Any]] = items("Other forms in which it is kept.")
    name_constraints: dict[str, Any] | None = unset("Names that it may sign for.")


class Challenge(Wire):
    """A proof that is under way; weft makes it and removes it."""

    url: str | None = unset("The challenge at the authority.")
    authorization_url: str | None = unset("The authorization at the authority.", alias="authorizationURL")
    dns_name: str = needed("The name that is to be proven.")
    wildcard: bool | None = unset("Whether it is for a wildcard.")
    type: Literal["HTTP-01", "DNS-01"] = needed("The way of the proof.")
    token: str = needed("The last part of the path that is asked for.")
    key: str = needed("What is answered there.")
    solver: Solver | None = unset("Who answers.")
    issuer_ref: IssuerReference | None = unset("Who asks.")
