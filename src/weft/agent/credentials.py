"""What proves the workload: its key, certificate and the roots it believes; kept in one private file.

The file lets an agent that was restarted renew with its certificate, since its token is used up.
"""

import os
import ssl
from pathlib import Path

import msgspec

from weft.kit.files import write_whole
from weft.kit.value import Value
from weft.model.identity import Identity

_FILE = "identity.json"


class Issued(Value):
    """The control plane's answer to a join or a renewal; ``expires`` is seconds since the epoch.

    ``authority`` names what the certificate authority was like then: when it is another one, it is time to renew.
    ``bundles`` are those of several trust domains, by name, where ``bundle`` is not all that peers are believed by.
    """

    chain: str
    bundle: str
    trust_domain: str
    xds_address: str
    namespace: str
    service_account: str
    expires: float
    authority: str = ""
    bundles: tuple[tuple[str, str], ...] = ()


class Credentials(Value):
    """A key and what was issued for it at ``since``.

    ``origin`` is the roots that the user named when this workload joined: what was issued since descends from them,
    even when the mesh's root has been replaced.
    """

    key: str
    issued: Issued
    since: float
    origin: str = ""

    @property
    def identity(self) -> Identity:
        """Who the workload is."""
        return Identity(
            trust_domain=self.issued.trust_domain,
            namespace=self.issued.namespace,
            account=self.issued.service_account,
        )

    def left(self, now: float) -> float:
        """The part of the certificate's life that is left, 1 to 0."""
        whole = self.issued.expires - self.since
        return max(self.issued.expires - now, 0.0) / whole if whole > 0 else 0.0


def save(credentials: Credentials, directory: Path) -> None:
    """Keep the credentials, readable by their owner alone."""
    write_whole(directory / _FILE, msgspec.json.encode(credentials))


def load(directory: Path, now: float) -> Credentials | None:
    """The credentials of an earlier run, unless they have ended or cannot be read."""
    kept = kept_in(directory)
    return kept if kept is not None and kept.issued.expires > now else None


def kept_in(directory: Path) -> Credentials | None:
    """The credentials of an earlier run, also such that have ended."""
    try:
        return msgspec.json.decode((directory / _FILE).read_bytes(), type=Credentials)
    except (OSError, msgspec.MsgspecError):
        return None


def present(context: ssl.SSLContext, credentials: Credentials, directory: Path) -> None:
    """Show the certificate on connections of this context; ``ssl`` reads files only, so it is one for a moment."""
    file = directory / f"client.{os.getpid()}.pem"
    write_whole(file, (credentials.key + credentials.issued.chain).encode("ascii"))
    try:
        context.load_cert_chain(file)
    finally:
        file.unlink()
