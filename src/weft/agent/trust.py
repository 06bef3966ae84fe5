"""Whom the agent believes before it has a certificate: only a root that the user named.

There is no trust on first use. With a fingerprint, the bundle is fetched from whoever answers, but only the very
certificate with that fingerprint is kept, and the token goes over a new connection that it verifies.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from weft.agent.config import AgentConfig
from weft.agent.http import HttpClient, Streams
from weft.kit.errors import UserError
from weft.kit.value import Value

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Door(Value):
    """Where the control plane listens for agents."""

    host: str
    port: int


def door_of(url: str) -> Door:
    """The host and port of a join URL. Raises ``UserError``."""
    try:
        parts = urlsplit(url)
        port = parts.port or 7072
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.username:
        raise UserError(f"{url!r} is no join URL", help="write https://HOST:PORT, as weft up prints it")
    return Door(host=parts.hostname, port=port)


def doors_of(urls: str) -> tuple[Door, ...]:
    """Those of join URLs with commas between them, at least one. Raises ``UserError``."""
    return tuple(door_of(url.strip()) for url in urls.split(","))


def check_trust(config: AgentConfig) -> None:
    """Refuse to start when the user has not said whom to trust."""
    if config.ca_file is None and not config.ca_fingerprint:
        raise UserError(
            "without --ca-file or --ca-fingerprint the control plane cannot be told from an impostor",
            help="give --ca-file the ca/root.pem of the control plane, or --ca-fingerprint the value weft up prints",
        )
    if config.ca_fingerprint and not _FINGERPRINT.fullmatch(_plain(config.ca_fingerprint)):
        raise UserError("--ca-fingerprint is no SHA-256 in hexadecimal", help="copy the 64 digits that weft up prints")


async def named_roots(config: AgentConfig, stranger: Callable[[ssl.SSLContext], HttpClient]) -> str:
    """The root certificates that the user named, as PEM; ``stranger`` gives a client of the control plane.

    Raises ``UserError`` or ``Unanswered``.
    """
    check_trust(config)
    if config.ca_file is not None:
        return _from_file(config.ca_file)
    answer = await stranger(_believing_nothing()).request("GET", "/v1/bundle")
    content = answer.json()
    bundle = content.get("bundle") if isinstance(content, dict) else None
    return matching(bundle if isinstance(bundle, str) else "", config.ca_fingerprint)


def matching(bundle: str, fingerprint: str) -> str:
    """The one certificate of a bundle that has the fingerprint. Raises ``UserError``."""
    for certificate in _CERTIFICATE.findall(bundle):
        if _print_of(certificate) == _plain(fingerprint):
            return str(certificate)
    raise UserError(
        "the control plane that answered is not the one that --ca-fingerprint names",
        help="check --join-url and the fingerprint; somebody may be in between",
    )


def accepts(roots: str, bundle: str) -> bool:
    """Whether a bundle contains one of the named roots."""
    own = {_print_of(certificate) for certificate in _CERTIFICATE.findall(bundle)}
    return any(_print_of(certificate) in own for certificate in _CERTIFICATE.findall(roots))


def verifying(roots: str) -> ssl.SSLContext:
    """A TLS context that believes these roots alone, and checks the host's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=roots)
    return context


async def connect(door: Door, context: ssl.SSLContext) -> Streams:
    """A TLS connection to the control plane."""
    return await asyncio.open_connection(door.host, door.port, ssl=context, server_hostname=door.host)


def _believing_nothing() -> ssl.SSLContext:
    """For the public bundle only, whose fingerprint is checked afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _from_file(path: Path) -> str:
    try:
        roots = "".join(_CERTIFICATE.findall(path.read_text("ascii")))
        verifying(roots)
    except (OSError, ValueError) as wrong:
        raise UserError(
            f"--ca-file {path} has no certificate ({_reason(wrong)})", help="name the control plane's ca/root.pem"
        ) from wrong
    return roots


def _reason(wrong: OSError | ValueError) -> str:
    return ((isinstance(wrong, OSError) and wrong.strerror) or str(wrong)).lower()


def _print_of(certificate: str) -> str:
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
    except ValueError:
        return ""


def _plain(fingerprint: str) -> str:
    return fingerprint.lower().removeprefix("sha256:").replace(":", "")
