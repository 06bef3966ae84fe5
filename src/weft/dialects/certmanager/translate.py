"""Issuers, certificates and challenges in the model's words."""

from weft.dialects.certmanager import types as wire
from weft.dialects.certmanager.checks import ISSUERS, VAULT_PATH
from weft.dialects.fragment import Fragment
from weft.dialects.issuers import failure_in
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.dialects.wire import bytes_of
from weft.kit.value import labels_of
from weft.model.document import Key
from weft.model.issuing import AcmeIssuer, Challenge, IssuerReference, LocalIssuer, Order, VaultIssuer

SHARED_NAMESPACE = "weft-system"
"""Where the Secrets of ClusterIssuers are (cert-manager: its own namespace)."""
_SIZES = {"ECDSA": 256, "RSA": 2048}


def translate_issuer(spec: wire.Issuer, subject: Subject) -> Fragment:
    """One authority."""
    acme, namespace = spec.acme, subject.namespace or SHARED_NAMESPACE
    if spec.vault is not None:
        return Fragment(key=subject.key, issuers=_vault(spec.vault, subject.key, namespace))
    if acme is None:
        pair = Key(kind="Secret", namespace=namespace, name=spec.ca.secret_name) if spec.ca is not None else None
        local = LocalIssuer(key=subject.key, pair=pair)
        return Fragment(key=subject.key, issuers=(local,) if spec.ca or spec.self_signed is not None else ())
    account = acme.private_key_secret_ref
    issuer = AcmeIssuer(
        key=subject.key,
        server=acme.server,
        account=Key(kind="Secret", namespace=namespace, name=account.name),
        account_field=account.key or "tls.key",
        email=acme.email or "",
        authorities=bytes_of(acme.ca_bundle).decode("ascii", "replace") if acme.ca_bundle else "",
        verified=not acme.skip_tls_verify,
        preferred_chain=acme.preferred_chain or "",
        profile=acme.profile or "",
        binding=_binding(acme.external_account_binding, namespace),
    )
    return Fragment(key=subject.key, issuers=(issuer,))


def _vault(vault: wire.Vault, key: Key, namespace: str) -> tuple[VaultIssuer, ...]:
    path, role = VAULT_PATH.fullmatch(vault.path), vault.auth.app_role
    place = role.secret_ref if role is not None else vault.auth.token_secret_ref
    if path is None or place is None:
        return ()
    issuer = VaultIssuer(
        key=key,
        server=vault.server,
        mount=path["mount"],
        role=path["role"],
        secret=Key(kind="Secret", namespace=namespace, name=place.name),
        secret_field=place.key or "token",
        namespace=vault.namespace or "",
        authorities=bytes_of(vault.ca_bundle).decode("ascii", "replace") if vault.ca_bundle else "",
        app_role=(role.path, role.role_id) if role is not None else None,
    )
    return (issuer,)


def _binding(external: wire.ExternalAccount | None, namespace: str) -> tuple[str, Key, str] | None:
    if external is None:
        return None
    place = external.key_secret_ref
    return external.key_id, Key(kind="Secret", namespace=namespace, name=place.name), place.key or "secret"


def translate_certificate(spec: wire.Certificate, subject: Subject) -> Fragment:
    """One certificate that is to be kept."""
    key = spec.private_key or wire.PrivateKey.model_validate({})
    template = spec.secret_template
    algorithm = key.algorithm or "ECDSA"
    names = (spec.common_name, *spec.dns_names) if spec.common_name else spec.dns_names
    order = Order(
        document=subject.key,
        path=("spec",),
        secret=Key(kind="Secret", namespace=subject.namespace, name=spec.secret_name),
        names=tuple(dict.fromkeys(name.lower() for name in names)),
        reference=IssuerReference(
            kind=spec.issuer_ref.kind if spec.issuer_ref.kind in ISSUERS else "Issuer", name=spec.issuer_ref.name
        ),
        renew_before=_seconds(spec.renew_before),
        renew_percent=spec.renew_before_percentage,
        algorithm=algorithm,
        size=key.size or _SIZES.get(algorithm, 256),
        labels=labels_of(template.labels) if template else (),
        annotations=labels_of(template.annotations) if template else (),
        failed=failure_in(subject.status),
        duration=_seconds(spec.duration),
        authority=bool(spec.is_ca),
        common_name=spec.common_name or "",
    )
    return Fragment(key=subject.key, orders=(order,))


def _seconds(duration: str | None) -> int | None:
    found = milliseconds(duration)
    return found // 1000 if found is not None else None


def translate_challenge(spec: wire.Challenge, subject: Subject) -> Fragment:
    """One answer."""
    challenge = Challenge(key=subject.key, host=spec.dns_name.lower(), token=spec.token, answer=spec.key)
    return Fragment(key=subject.key, challenges=(challenge,))
