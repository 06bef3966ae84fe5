"""Applications behind the sidecars of a live run: they note what they are asked and do what its headers tell them to.

``x-app-events``: answer with two events, the second once ``Notes.go`` is set; ``upgrade``: take it and send back every
byte that comes; ``x-app-again``: a request that comes again is answered once ``Notes.go`` is set. ``speaker`` is an
application that speaks first and then answers each line.

``x-app-status``: answer with it; ``x-app-wait``: wait so many seconds; ``x-app-fails``: the application of that name
answers 503, as those do that ``Notes.failing`` has with the path; ``x-app-sends``: headers of the answer,
``name=value|name=value``. ``x-call`` names the call under which a request is noted. One that speaks TLS adds
``x-app-sni`` and ``x-app-peer``, which the caller asked for and who the caller is; ``x-app-proxy`` is what a PROXY
header said. ``x-app-tunnel`` is what a CONNECT before asked for.
"""

import io
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from weft.kit.value import Value
from weft.model.reporting import PEER_HEADER


class Seen(Value):
    """A request as an application got it; header names are lower-case."""

    application: str
    call: str
    path: str
    headers: dict[str, str]


class Notes:
    """What all applications have seen."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._more = threading.Condition()
        self.closing = threading.Event()
        self.failing: set[tuple[str, str]] = set()
        self.go = threading.Event()
        self.told: list[Seen] = []
        """Requests that came with weft's own header, which is nobody's but the proxies'."""

    def add(self, seen: Seen) -> None:
        if PEER_HEADER in seen.headers:
            self.told.append(seen)
        with self._more:
            self._seen.append(seen)
            self._more.notify_all()

    def of(self, call: str, least: int = 0, seconds: float = 10) -> list[Seen]:
        """The requests of a call, once there are at least so many (a copy may come after the answer)."""
        with self._more:
            self._more.wait_for(lambda: len(self._of(call)) >= least, seconds)
            return self._of(call)

    def _of(self, call: str) -> list[Seen]:
        return [seen for seen in self._seen if seen.call == call]


class _Application(ThreadingHTTPServer):
    name: str
    notes: Notes
    request_queue_size = 128

    def speak(self, context: ssl.SSLContext) -> None:
        """TLS; the handshake is made by the thread that answers."""
        self.asked: dict[object, str] = {}
        context.sni_callback = self._note
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def _note(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        self.asked[connection.getpeername()] = name or ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Application
    rfile: io.BufferedReader
    introduced: dict[str, str]

    tunnel = ""

    def do_CONNECT(self) -> None:
        """A proxy: what comes from now on is for another server, in whose place this one answers."""
        self.tunnel = self.path
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers |= self._tls() | self.introduced | ({"x-app-tunnel": self.tunnel} if self.tunnel else {})
        name = self.server.name
        self.received = self._chunked() if "transfer-encoding" in headers else self._sized(headers)
        self.server.notes.add(Seen(application=name, call=headers.get("x-call", ""), path=self.path, headers=headers))
        self.server.notes.closing.wait(float(headers.get("x-app-wait", "0")))
        if "x-app-again" in headers and len(self.server.notes.of(headers["x-call"])) > 1:
            self.server.notes.go.wait(20)
        if "upgrade" in headers:
            self._upgrade(headers["upgrade"])
            return
        if "x-app-events" in headers:
            self._events()
            return
        failing = headers.get("x-app-fails") == name or (name, self.path) in self.server.notes.failing
        self._answer(503 if failing else int(headers.get("x-app-status", "200")), headers)

    do_POST = do_GET  # noqa: N815  http.server's names
    do_PATCH = do_GET  # noqa: N815
    do_OPTIONS = do_GET  # noqa: N815

    def _upgrade(self, protocol: str) -> None:
        """What Envoy passes on unread from now on."""
        self.send_response(101)
        self.send_header("connection", "Upgrade")
        self.send_header("upgrade", protocol)
        self.end_headers()
        while some := self.rfile.read1():
            self.wfile.write(some)
        self.close_connection = True

    def _events(self) -> None:
        """Server-sent events: the answer goes on until it is told to end."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._chunk(b"data: first\n\n")
        self.server.notes.go.wait(20)
        self._chunk(b"data: second\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _sized(self, headers: dict[str, str]) -> bytes:
        return self.rfile.read(int(headers.get("content-length", "0")))

    def _chunked(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        said = {"application": self.server.name, "path": self.path, "headers": headers}
        if self.received:
            said["body"] = self.received.decode()
        body = json.dumps(said).encode()
        self.send_response(status)
        for pair in filter(None, headers.get("x-app-sends", "").split("|")):
            self.send_header(*pair.split("=", 1))
        self.send_header("content-length", str(len(body)))
        self.send_header("x-app", self.server.name)
        self.send_header("x-version", "1")
        self.end_headers()
        self.wfile.write(body)

    def _tls(self) -> dict[str, str]:
        if not isinstance(self.connection, ssl.SSLSocket):
            return {}
        names = (self.connection.getpeercert() or {}).get("subjectAltName", ())
        asked = self.server.asked.get(self.client_address, "")
        return {"x-app-sni": asked, "x-app-peer": ",".join(value for _, value in names)}

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            self.introduced = {}
            if self.rfile.peek(1).startswith(b"PROXY "):
                self.introduced = {"x-app-proxy": " ".join(self.rfile.readline().decode().split()[1:3])}
            super().handle()


@contextmanager
def application(name: str, notes: Notes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """An application until the block ends; yields its port."""
    server = _Application(("127.0.0.1", 0), _Handler)
    server.name, server.notes = name, notes
    server.daemon_threads = True
    if tls is not None:
        server.speak(tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        notes.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


GREETING = b"5.7.1-speaker\n"


class _Speaker(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError):
            self.wfile.write(GREETING)
            for line in self.rfile:
                self.wfile.write(b"you said " + line)


@contextmanager
def speaker() -> Iterator[int]:
    """A server that speaks first, as MySQL and SMTP do; yields its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Speaker) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Packets(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"you said " + self.rfile.read())


@contextmanager
def packets() -> Iterator[int]:
    """A server of UDP that answers each packet; yields its port."""
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Packets) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
