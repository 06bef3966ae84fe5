"""Certificates of gateways that Vault signs (cert-manager's ``vault``): asked as the mesh's own signer asks it."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from weft.ca.chains import certificates_in, is_self_signed, issued
from weft.ca.choice import AppRole, Vault
from weft.ca.signer import SignerAway
from weft.ca.vault import VaultBackend
from weft.issuing.errors import Unissued
from weft.issuing.keys import PrivateKey, signing_request
from weft.issuing.local import LIFETIME
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.model.issuing import Order, VaultIssuer


async def signed_by_vault(
    order: Order, issuer: VaultIssuer, key: PrivateKey, secret: str, clock: Clock
) -> tuple[bytes, bytes]:
    """The chain of an order's new certificate and the highest authority in it, as PEM. Raises ``Unissued``."""
    role = issuer.app_role
    chosen = Vault(
        address=issuer.server,
        role=issuer.role,
        mount=issuer.mount,
        namespace=issuer.namespace,
        app_role=AppRole(mount=role[0], role_id=role[1]) if role is not None else None,
    )
    try:
        backend = VaultBackend(chosen, clock, secret, issuer.authorities)
        try:
            answer = await backend.sign_server(
                signing_request(key, order.names), order.names, order.duration or LIFETIME
            )
        finally:
            await backend.close()
        return _ordered(certificates_in(answer.encode("ascii", "replace"), "the answer"), key)
    except SignerAway as away:
        raise Unissued(str(away)) from away
    except UserError as refused:
        raise Unissued(refused.message) from refused


def _ordered(found: tuple[x509.Certificate, ...], key: PrivateKey) -> tuple[bytes, bytes]:
    if not found or found[0].public_key() != key.public_key():
        raise Unissued("Vault answered without a certificate for the key that was asked for")
    path = [found[0]]
    while not is_self_signed(path[-1]):
        above = next((one for one in found if one not in path and issued(one, path[-1])), None)
        if above is None:
            break
        path.append(above)
    sent = [one for one in path if one is path[0] or not is_self_signed(one)]
    top = path[-1].public_bytes(Encoding.PEM) if len(path) > 1 else b""
    return b"".join(one.public_bytes(Encoding.PEM) for one in sent), top
