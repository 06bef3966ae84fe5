"""Requests as bytes, over TLS with any identity, by HTTP/1.1 or HTTP/2, and what came back."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from weft.kit.value import Value

_TIMEOUT = 5.0


class Outcome(Value):
    """``verdict`` in the words of the cases; what the application got, if it got anything."""

    verdict: str
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Request(Value):
    """One request; ``raw`` is sent as it is. ``certificate`` is a directory with key and chain, "" for none, ``None``
    for no TLS at all."""

    port: int
    method: str = "GET"
    path: str = "/"
    host: str = "httpbin.foo"
    headers: tuple[tuple[str, str], ...] = ()
    http2: bool = False
    certificate: str | None = ""
    raw: str = ""
    from_ip: str = ""
    bytes_only: bool = False
    sni: str = ""


def call(request: Request) -> Outcome:
    """Send it. A connection that ends is ``closed``; a handshake that fails, ``tls_fail``."""
    try:
        with _connected(request) as connection:
            if request.bytes_only:
                return _bytes(connection)
            return _http2(connection, request) if request.http2 else _http1(connection, request)
    except ssl.SSLError:
        return Outcome(verdict="tls_fail")
    except (ConnectionError, TimeoutError):
        return Outcome(verdict="closed")


def _connected(request: Request) -> socket.socket:
    source = (request.from_ip, 0) if request.from_ip else None
    plain = socket.create_connection(("127.0.0.1", request.port), _TIMEOUT, source)
    if request.certificate is None:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio", "h2" if request.http2 else "http/1.1"])
    if request.certificate:
        home = Path(request.certificate)
        context.load_cert_chain(home / "chain.pem", home / "key.pem")
    return context.wrap_socket(plain, server_hostname=request.sni or None)


def _bytes(connection: socket.socket) -> Outcome:
    """Without an answer of the application the connection was denied."""
    connection.sendall(b"GET /bytes HTTP/1.1\r\nhost: bytes\r\nconnection: close\r\n\r\n")
    try:
        answer = connection.recv(65536)
    except (ConnectionError, ssl.SSLError):
        answer = b""
    return Outcome(verdict="allow" if answer else "deny")


def _http1(connection: socket.socket, request: Request) -> Outcome:
    content = request.raw
    if not content:
        lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {request.host}"]
        lines += [f"{name}: {value}" for name, value in request.headers]
        content = "\r\n".join([*lines, "", ""])
    connection.sendall(content.encode("latin-1"))
    return _read(connection, request)


def _read(connection: socket.socket, request: Request) -> Outcome:
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            return Outcome(verdict="closed")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1])
    pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
    headers = {name.lower(): value for name, value in pairs}
    length = 0 if request.method == "HEAD" or status in (101, 204, 304) else int(headers.get("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65536)
    return _outcome(status, headers, body)


def _outcome(status: int, headers: dict[str, str], body: bytes) -> Outcome:
    if status == 200 and "x-app-saw" in headers:
        seen: dict[str, Any] = json.loads(headers["x-app-saw"])
        return Outcome(verdict="allow", path=seen["path"], headers=tuple(sorted(seen["headers"].items())))
    words = {401: "unauthenticated", 400: "bad_request", 403: "deny"}
    if status == 200 and headers.get("grpc-status") == "7":
        return Outcome(verdict="deny", body=headers.get("grpc-message", ""))
    if status == 200 and headers.get("grpc-status") == "16":
        return Outcome(verdict="unauthenticated")
    return Outcome(verdict=words.get(status, f"status_{status}"), body=body.decode("latin-1"))


def _http2(connection: socket.socket, request: Request) -> Outcome:
    config = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="latin-1"
    )
    client = h2.connection.H2Connection(config)
    client.initiate_connection()
    pseudo = [(":method", request.method), (":path", request.path), (":scheme", "https"), (":authority", request.host)]
    client.send_headers(1, [*pseudo, *request.headers], end_stream=True)
    connection.sendall(client.data_to_send())
    status, headers, body = 0, {}, b""
    while True:
        received = connection.recv(65536)
        if not received:
            return Outcome(verdict="closed")
        for event in client.receive_data(received):
            if isinstance(event, h2.events.ResponseReceived):
                headers = {str(name): str(value) for name, value in event.headers}
                status = int(headers[":status"])
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
            elif isinstance(event, h2.events.StreamReset):
                return Outcome(verdict="reset")
            elif isinstance(event, h2.events.ConnectionTerminated):
                return Outcome(verdict="closed")
            elif isinstance(event, h2.events.StreamEnded):
                return _outcome(status, headers, body)
        connection.sendall(client.data_to_send())
