"""Where lines are shipped, as the operator writes it: one URL.

``syslog+tls://host:6514``, ``syslog+tcp://host:601``, ``syslog+unix:///dev/log`` and ``otlp+https://host:4318`` (or
``otlp+http``). ``?ca=FILE`` is whom to trust, ``cert=FILE`` and ``key=FILE`` what to show.
"""

import ssl
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from weft.kit.errors import UserError
from weft.kit.value import Value

_PORTS = {"syslog+tls": 6514, "syslog+tcp": 601, "otlp+https": 4318, "otlp+http": 4318}
_HELP = "write syslog+tls://HOST, syslog+tcp://HOST, syslog+unix:///PATH, otlp+https://HOST or otlp+http://HOST"
LOGS, TRACES = "/v1/logs", "/v1/traces"
"""Where collectors take what, if an address says nothing else."""


class Destination(Value):
    """``scheme`` is one of ``syslog+tls``, ``syslog+tcp``, ``syslog+unix``, ``otlp+https``, ``otlp+http``."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def told(self) -> str:
        """The destination without its files."""
        if self.scheme == "syslog+unix":
            return f"{self.scheme}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def tls(self) -> ssl.SSLContext:
        """How a connection there is protected. Raises ``UserError`` for files that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as wrong:
            raise UserError(
                f"the files of {self.told} cannot be used", help="?ca=, cert= and key= name PEM files"
            ) from wrong
        return context


def destination_of(text: str, default: str = LOGS) -> Destination:
    """Read a destination; ``default`` is the path of a collector's address without one. Raises ``UserError``."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UserError(f"{text} is no place to ship to", help=_HELP) from None
    options = dict(parse_qsl(parts.query))
    known = parts.scheme in _PORTS and bool(host) and not parts.username
    if parts.scheme == "syslog+unix":
        known = bool(parts.path) and not host and Path(parts.path).is_absolute()
    if not known or set(options) - {"ca", "cert", "key"}:
        raise UserError(f"{text} is no place to ship to", help=_HELP)
    return Destination(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS.get(parts.scheme, 0),
        path=_path(parts.scheme, parts.path, default),
        **options,
    )


def _path(scheme: str, path: str, default: str) -> str:
    if scheme.startswith("otlp"):
        return path if path.strip("/") else default
    return path if scheme == "syslog+unix" else ""
