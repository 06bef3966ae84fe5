"""The page of this machine that a login in a browser leads back to (RFC 8252, 7.3)."""

import hmac
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from weft.cli.errors import TooLate
from weft.kit.errors import UserError

_PATH = "/callback"
_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>weft</title>"
    b"<p>The command line has what it needs; this page can be closed.</p>"
)


class _Server(HTTPServer):
    state = ""
    answer: dict[str, str] | None = None

    def handle_error(self, *_: Any) -> None:
        """A browser that leaves is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        known = parts.path == _PATH and hmac.compare_digest(asked.get("state", "").encode(), self.server.state.encode())
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE) if known else 0))
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if known:
            self.server.answer = asked
            self.wfile.write(_PAGE)

    def log_message(self, *_: Any) -> None:
        """Requests are not told."""


class Callback:
    """Listens on a port of 127.0.0.1 for the one answer that knows the login's ``state``."""

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as taken:
            raise UserError(
                f"cannot listen on 127.0.0.1:{port} ({(taken.strerror or str(taken)).lower()})",
                help="choose another port with --callback-port",
            ) from taken

    @property
    def uri(self) -> str:
        """Where the provider is to send the browser."""
        return f"http://127.0.0.1:{self._server.server_port}{_PATH}"

    def wait(self, state: str, seconds: float) -> dict[str, str]:
        """What the browser brings; whoever does not know ``state`` is answered 404. Raises ``TooLate``."""
        self._server.state = state
        end = time.monotonic() + seconds
        while self._server.answer is None:
            self._server.timeout = end - time.monotonic()
            if self._server.timeout <= 0:
                raise TooLate("nobody logged in in time", help="run the command again")
            self._server.handle_request()
        return self._server.answer

    def __enter__(self) -> "Callback":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()
