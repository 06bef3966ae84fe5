"""Secrets made of files on this host, for calls that leave the mesh: destination rules name the files.

The names are those of ``weft.compiler.names``: ``file-cert:CHAIN~KEY``, ``file-root:AUTHORITIES`` with an optional
``~REVOKED``, and ``system`` for the authorities that the host trusts. Apart from ``sds``, for it reads files.
"""

import ssl
from pathlib import Path

from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

CERTIFICATES = "file-cert:"
AUTHORITIES = "file-root:"
SYSTEM = "system"
_LARGEST = 4 * 1024 * 1024
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def is_of_files(name: str) -> bool:
    """Whether a secret of that name is made of files."""
    return name.startswith((CERTIFICATES, AUTHORITIES))


def secret_of_files(name: str) -> Secret | None:
    """The secret as the files are now; ``None`` while one of them cannot be read."""
    try:
        return _certificate(name) if name.startswith(CERTIFICATES) else _authorities(name)
    except OSError:
        return None


def _certificate(name: str) -> Secret:
    chain, _, key = name.removeprefix(CERTIFICATES).partition("~")
    secret = Secret(name=name)
    secret.tls_certificate.certificate_chain.inline_bytes = _read(chain)
    secret.tls_certificate.private_key.inline_bytes = _read(key)
    return secret


def _authorities(name: str) -> Secret:
    path, _, revoked = name.removeprefix(AUTHORITIES).partition("~")
    secret = Secret(name=name)
    secret.validation_context.trusted_ca.inline_bytes = _read(_system_file() if path == SYSTEM else path)
    if revoked:
        secret.validation_context.crl.inline_bytes = _read(revoked)
    return secret


def _read(path: str) -> bytes:
    """The content. Raises ``OSError``, also for what is too large or empty, which Envoy would refuse."""
    with Path(path).open("rb") as file:
        content = file.read(_LARGEST + 1)
    if not 0 < len(content) <= _LARGEST:
        raise OSError(f"{path} has no certificate or key")
    return content


def _system_file() -> str:
    """Where OpenSSL of this host looks (``SSL_CERT_FILE`` wins), else where distributions keep them."""
    own = ssl.get_default_verify_paths().cafile
    found = (path for path in (own, *_SYSTEM_FILES) if path and Path(path).is_file())
    return next(found, _SYSTEM_FILES[0])
