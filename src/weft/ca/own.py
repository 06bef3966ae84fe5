"""The control plane's own certificate, from files: for signers that put no names of hosts into what they sign.

Those of Istio's protocol give out identities of workloads alone. What serves people and agents needs the names of its
hosts as well, so whoever has the root makes that one certificate, as Istio's own control plane is given one.
"""

from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from weft.ca.certificates import pem_of
from weft.ca.chains import certificates_in, is_self_signed, path_to_root
from weft.ca.choice import Pair
from weft.ca.issuer import end_of, names_of
from weft.ca.names import control_plane
from weft.ca.plugged import content_of
from weft.ca.signer import Listener
from weft.kit.errors import UserError

_log = structlog.get_logger()


class OwnFiles:
    """Reads them, and says when they have become others."""

    def __init__(self, chosen: Pair, trust_domain: str, hosts: tuple[str, ...]) -> None:
        self._chosen = chosen
        self._identity = control_plane(trust_domain)
        self._hosts = names_of(hosts)
        self._read: tuple[bytes, bytes] | None = None

    def newer(self, roots: tuple[x509.Certificate, ...], now: float) -> Listener | None:
        """What the files hold if it was not read before. Raises ``UserError`` while it is not to be believed."""
        content = content_of(Path(self._chosen.certificate)), content_of(Path(self._chosen.key))
        if content == self._read:
            return None
        listener = self._checked(*content, roots, now)
        self._read = content
        return listener

    def _checked(self, chain: bytes, key: bytes, roots: tuple[x509.Certificate, ...], now: float) -> Listener:
        file = self._chosen.certificate
        found = certificates_in(chain, file)
        if not found:
            raise UserError(f"there is no certificate in {file}")
        leaf, *others = found
        if leaf.public_key() != _public_of(key, self._chosen.key):
            raise UserError(f"the certificate in {file} is not that of the key")
        self._check_names(leaf)
        path = path_to_root(leaf, tuple(others), roots, now)
        if path is None or end_of(leaf) <= now:
            raise UserError(
                f"the certificate in {file} has ended"
                if end_of(leaf) <= now
                else f"the certificate in {file} does not descend from the roots that are believed",
                help="what lies between belongs behind it, into the same file",
            )
        shown = "".join(pem_of(one) for one in path if not is_self_signed(one))
        return Listener(key=key, chain=shown.encode("ascii"), expires=min(map(end_of, path)), renewed=False)

    def _check_names(self, leaf: x509.Certificate) -> None:
        file = self._chosen.certificate
        try:
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = x509.SubjectAlternativeName([])
        if names.get_values_for_type(x509.UniformResourceIdentifier) != [self._identity.uri]:
            raise UserError(
                f"the certificate in {file} is not that of the control plane",
                help=f"its subject alternative names must have the URI {self._identity.uri}, and no other",
            )
        known = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
        if missing := [host for host in self._hosts if host not in known]:
            _log.warning("the control plane's certificate lacks names: who uses them refuses it", names=missing)


def _public_of(key: bytes, file: str) -> object:
    try:
        return serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        raise UserError(f"{file} holds no private key in plain PEM") from None
