"""A private key and its certificate in one file, so that no crash can part them; the key sealed.

The key may be missing: that of a root which is kept elsewhere.
"""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import key_pem_of, pem_of
from weft.ca.sealed_key import opened, renewed
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.sealing import Keyring

_CERTIFICATE = b"-----BEGIN CERTIFICATE"


def write_pair(
    file: Path, key: ec.EllipticCurvePrivateKey | None, certificate: x509.Certificate, keyring: Keyring | None
) -> None:
    """Replace the file in one step."""
    secret = key_pem_of(key) if key is not None else b""
    write_whole(file, renewed(secret + pem_of(certificate).encode("ascii"), keyring))


def read_pair(file: Path, keyring: Keyring | None) -> tuple[ec.EllipticCurvePrivateKey | None, x509.Certificate]:
    """What is in the file, brought under the newest key of the ring. Raises ``UserError``."""
    content = read_sealed(file, keyring)
    try:
        begin = content.index(_CERTIFICATE)
        certificate = x509.load_pem_x509_certificate(content[begin:])
        key = serialization.load_pem_private_key(content[:begin], None) if content[:begin].strip() else None
    except (ValueError, TypeError) as damage:
        raise damaged(file) from damage
    if key is None:
        return None, certificate
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise damaged(file)
    return key, certificate


def read_sealed(file: Path, keyring: Keyring | None) -> bytes:
    """A file whose key is sealed, in plaintext; the file itself comes under the newest key. Raises ``UserError``."""
    try:
        stored = file.read_bytes()
    except FileNotFoundError as missing:
        raise damaged(file) from missing
    if (mode := os.stat(file).st_mode & 0o077) != 0:
        raise UserError(f"{file} can be read by others (mode {0o600 | mode:o})", help=f"chmod 600 {file}")
    newest = renewed(stored, keyring)
    content = opened(newest, keyring, file)
    if newest != stored:
        write_whole(file, newest)
    return content


def damaged(file: Path) -> UserError:
    """What is said of a file that makes no sense."""
    return UserError(
        f"the certificate authority in {file} is damaged",
        help="restore the file from a backup; removing it makes a new mesh that every workload must join again",
    )
