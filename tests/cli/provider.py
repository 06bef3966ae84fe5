"""A small OpenID provider on 127.0.0.1, over TLS, that does what it is told and checks what it is asked."""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import trustme
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "weft-cli"


class FakeProvider:
    """Its facts can be changed between requests."""

    def __init__(self, issuer: str, ca_file: Path) -> None:
        self.issuer = issuer
        self.ca_file = ca_file
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.claims: dict[str, Any] = {"sub": "jane", "groups": ["devs"]}
        self.seconds = 600
        self.approved = True
        self.pending = 0
        self.forged_nonce = False
        self.refreshable: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        self.asked.append((path, asked))
        if path == "/authorize":
            return 303, {"Location": self._authorized(asked)}, b""
        found = {
            "/.well-known/openid-configuration": self._configuration,
            "/jwks": lambda _: {"keys": [self.key.as_dict(private=False)]},
            "/token": self._token,
            "/device": self._device,
            "/revoke": self._revoked,
        }.get(path, lambda _: {"error": "not_found"})(asked)
        return (400 if "error" in found else 200), {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _configuration(self, _: dict[str, str]) -> dict[str, Any]:
        paths = {
            "authorization": "authorize",
            "token": "token",
            "device_authorization": "device",
            "revocation": "revoke",
        }
        ends = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()}
        scopes = ["openid", "groups", "offline_access"]
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", "scopes_supported": scopes} | ends

    def _authorized(self, asked: dict[str, str]) -> str:
        known = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256", "prompt": "consent"}
        assert {name: asked.get(name) for name in known} == known
        assert asked["scope"] == "openid groups offline_access"
        if not self.approved:
            answer = {"error": "access_denied", "error_description": "the user said no"}
        else:
            answer = {"code": secrets.token_hex(8)}
            self.codes[answer["code"]] = asked
        return f"{asked['redirect_uri']}?{urlencode(answer | {'state': asked['state'], 'iss': self.issuer})}"

    def _token(self, asked: dict[str, str]) -> dict[str, Any]:
        assert asked["client_id"] == CLIENT
        match asked["grant_type"]:
            case "authorization_code":
                begun = self.codes.pop(asked["code"], None)
                digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
                proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if begun is None or begun["code_challenge"] != proof or begun["redirect_uri"] != asked["redirect_uri"]:
                    return {"error": "invalid_grant"}
                return self._tokens(nonce="forged" if self.forged_nonce else begun["nonce"])
            case "refresh_token":
                if asked["refresh_token"] not in self.refreshable:
                    return {"error": "invalid_grant"}
                self.refreshable.remove(asked["refresh_token"])
                return self._tokens()
        if self.pending:
            self.pending -= 1
            return {"error": "slow_down" if self.pending == 1 else "authorization_pending"}
        return self._tokens() if self.approved else {"error": "access_denied"}

    def _tokens(self, **more: str) -> dict[str, Any]:
        refresh = secrets.token_hex(8)
        self.refreshable.add(refresh)
        return {"id_token": self.id_token(**more), "refresh_token": refresh, "token_type": "Bearer"}

    def id_token(self, **more: Any) -> str:
        claims = {"iss": self.issuer, "aud": CLIENT, "exp": int(time.time()) + self.seconds} | self.claims | more
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def _device(self, _: dict[str, str]) -> dict[str, Any]:
        page = f"{self.issuer}/enter"
        told = {
            "device_code": "d",
            "user_code": "ABCD-EFGH",
            "verification_uri": page,
            "expires_in": 60,
            "interval": 0.01,
        }
        return told | {"verification_uri_complete": f"{page}?user_code=ABCD-EFGH"}

    def _revoked(self, asked: dict[str, str]) -> dict[str, Any]:
        self.refreshable.discard(asked["token"])
        return {}


class _Server(ThreadingHTTPServer):
    provider: FakeProvider


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._tell(parts.path, parts.query)

    def do_POST(self) -> None:
        self._tell(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _tell(self, path: str, text: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(text).items()}
        status, headers, body = self.server.provider.answer(path, asked)
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fake_provider(directory: Path) -> Iterator[FakeProvider]:
    """A provider that runs in a thread."""
    authority = trustme.CA()
    ca_file = directory / "provider-ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.provider = FakeProvider(f"https://127.0.0.1:{server.server_port}", ca_file)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
