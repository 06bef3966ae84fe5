"""Keys fetched from a real server, and everything that a server can do wrong."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import pytest

from weft.jwks.errors import Unfetched
from weft.jwks.fetching import fetched
from weft.jwks.key_sets import key_set_of, public_keys
from weft.model.authentication import KeySource

ALLOWED = (ip_network("127.0.0.0/8"),)
KEY = {"kty": "RSA", "kid": "one", "alg": "RS256", "n": "AQAB", "e": "AQAB"}
SECRET = KEY | {"kid": "two", "d": "secret", "p": "secret"}
SYMMETRIC = {"kty": "oct", "kid": "three", "k": "c2VjcmV0"}


class _Server(ThreadingHTTPServer):
    asked: list[str]
    base: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self._answer()
        self.send_response(status)
        if status == 302:
            self.send_header("location", f"{self.server.base}/keys")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.path == "/slow":
            threading.Event().wait(0.5)
        self.wfile.write(body)

    def _answer(self) -> tuple[int, bytes]:
        keys = json.dumps({"keys": [KEY, SECRET, SYMMETRIC, "junk"]}).encode()
        here = {"issuer": f"{self.server.base}/realm", "jwks_uri": f"{self.server.base}/keys"}
        inward = {"issuer": f"{self.server.base}/inward", "jwks_uri": "http://169.254.169.254/keys"}
        return {
            "/keys": (200, keys),
            "/slow": (200, keys),
            "/elsewhere": (302, b""),
            "/huge": (200, b" " * 600_000),
            "/page": (200, b"<html></html>"),
            "/empty": (200, b'{"keys":[]}'),
            "/realm/.well-known/openid-configuration": (200, json.dumps(here).encode()),
            "/other/.well-known/openid-configuration": (200, json.dumps(here).encode()),
            "/inward/.well-known/openid-configuration": (200, json.dumps(inward).encode()),
        }.get(self.path, (404, b""))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    made = _Server(("127.0.0.1", 0), _Handler)
    made.asked, made.base = [], f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def keys_of(uri: str, *, discovered: bool = False, seconds: float = 5.0) -> str:
    async def ask() -> str:
        source = KeySource(uri=uri, discovered=discovered)
        return await key_set_of(source, lambda one: fetched(one, ALLOWED, seconds))

    return asyncio.run(ask())


def test_public_parts_of_asymmetric_keys_are_kept_and_nothing_else(server: _Server) -> None:
    found = keys_of(f"{server.base}/keys")
    assert [key["kid"] for key in json.loads(found)["keys"]] == ["one", "two"]
    assert "secret" not in found
    assert "c2VjcmV0" not in found


def test_an_issuer_says_itself_where_its_keys_are(server: _Server) -> None:
    assert keys_of(f"{server.base}/realm", discovered=True) == keys_of(f"{server.base}/keys")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/elsewhere", "302"),
        ("/absent", "404"),
        ("/huge", "more than"),
        ("/page", "not JSON"),
        ("/empty", "no public key"),
    ],
)
def test_what_is_no_key_set_is_told_and_nothing_is_followed(server: _Server, path: str, words: str) -> None:
    server.asked.clear()
    with pytest.raises(Unfetched, match=words):
        keys_of(server.base + path)
    assert server.asked == [path]


def test_a_server_that_takes_its_time_is_left(server: _Server) -> None:
    with pytest.raises(Unfetched, match=r"within 0\.1 s"):
        keys_of(f"{server.base}/slow", seconds=0.1)


@pytest.mark.parametrize(("issuer", "words"), [("/other", "another issuer"), ("/inward", "not a public address")])
def test_a_configuration_of_another_or_that_leads_inward_is_refused(server: _Server, issuer: str, words: str) -> None:
    with pytest.raises(Unfetched, match=words):
        keys_of(server.base + issuer, discovered=True)


def test_nobody_there_is_told() -> None:
    with pytest.raises(Unfetched, match="connection failed"):
        keys_of("http://127.0.0.1:1/keys")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys":{}}', b'{"keys":[1]}', b"[" * 100_000, b"\xff"])
def test_bad_key_sets_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(Unfetched):
        public_keys(content)
