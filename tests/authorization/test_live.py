"""What only a running Envoy shows: providers that are asked, keys that come and go, changes under open connections."""

import base64
import contextlib
import http.client
import json
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from msgspec.structs import replace

from tests.authorization.callers import Request
from tests.authorization.cases import CASES, mesh_of, needs_data
from tests.authorization.random_policies import policy
from tests.authorization.rig import Rig, rig
from tests.authorization.tokens import key_set, token
from weft.model.authentication import KeySet, KeySource
from weft.model.provider import Authorizer, ExtensionProvider, HttpCheck
from weft.model.settings import Settings

pytestmark = needs_data
PLAIN = Settings(root_namespace="mesh-system")
EVERYTHING: dict[str, Any] = {}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("live"), mesh_of([], PLAIN)) as made:
        yield made


def request(server: Rig, *headers: tuple[str, str], port: str = "http", path: str = "/", **others: Any) -> Request:
    certificate = server.certificate(CASES["identities"]["client"], "client")
    return Request(port=server.ports[port], path=path, headers=headers, certificate=certificate, **others)


def verdict(server: Rig, *headers: tuple[str, str], **others: Any) -> str:
    return server.call(request(server, *headers, **others)).verdict


class _Provider(BaseHTTPRequestHandler):
    """Allows what has ``x-ext-authz: allow``, as the sample of Istio does."""

    def do_GET(self) -> None:
        allowed = self.headers.get("x-ext-authz") == "allow"
        self.send_response(200 if allowed else 403)
        self.send_header("x-ext-authz-check-result", "allowed" if allowed else "denied")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def provider() -> Iterator[int]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made.server_port
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def _provided(port: int, **changed: Any) -> tuple[Settings, list[dict[str, Any]]]:
    http = HttpCheck(request_headers=("x-ext-authz",), to_upstream_on_allow=("x-ext-authz-check-result",))
    asked = Authorizer(service="authz.example.com", port=8000, timeout=2_000, http=http)
    settings = replace(PLAIN, providers=(ExtensionProvider(name="sample", authorizer=replace(asked, **changed)),))
    entry = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "authz"},
        "spec": {
            "hosts": ["authz.example.com"],
            "resolution": "STATIC",
            "ports": [{"number": 8000, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "127.0.0.1", "ports": {"http": port}}],
        },
    }
    custom = policy("custom", "CUSTOM", [{"to": [{"operation": {"paths": ["/asked", "/asked/*"]}}]}])
    custom["spec"]["provider"] = {"name": "sample"}
    return settings, [entry, custom]


def test_a_provider_is_asked_about_what_a_custom_policy_is_about_and_nothing_else(server: Rig) -> None:
    with provider() as port:
        settings, documents = _provided(port)
        server.serve(mesh_of(documents, settings))
        assert verdict(server, path="/free") == "allow"
        assert verdict(server, path="/asked") == "deny"
        passed = server.call(request(server, ("x-ext-authz", "allow"), path="/asked/1"))
        assert passed.verdict == "allow"
        assert dict(passed.headers)["x-ext-authz-check-result"] == "allowed"
        server.serve(mesh_of([*documents, policy("deny", "DENY", [EVERYTHING])], settings))
        assert verdict(server, ("x-ext-authz", "allow"), path="/asked") == "deny"


def test_a_provider_that_is_away_denies_unless_it_fails_open(server: Rig) -> None:
    for fail_open, wanted in ((False, "deny"), (True, "allow")):
        settings, documents = _provided(1, fail_open=fail_open)
        server.serve(mesh_of(documents, settings))
        assert verdict(server, ("x-ext-authz", "allow"), path="/asked") == wanted
        assert verdict(server, path="/free") == "allow"


def test_what_nobody_can_be_asked_about_is_denied_and_told(server: Rig) -> None:
    _, (entry, custom) = _provided(1)
    mesh = mesh_of([entry, custom], PLAIN)
    assert "W0250" in {finding.code for finding in mesh.findings}
    server.serve(mesh)
    assert verdict(server, ("x-ext-authz", "allow"), path="/asked") == "deny"
    assert verdict(server, path="/free") == "allow"
    assert verdict(server, port="tcp", bytes_only=True) == "deny"


def _tokens(**rule: Any) -> dict[str, Any]:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "ra"},
        "spec": {"jwtRules": [{"issuer": "iss-1", **rule}]},
    }


def _bearer(name: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token(CASES['tokens'][name])}")


def test_tokens_of_an_issuer_without_known_keys_are_refused_and_there_is_no_key_by_default(server: Rig) -> None:
    uri = "https://idp.example.com/keys"
    mesh = mesh_of([_tokens(jwksUri=uri)], PLAIN)
    server.serve(mesh)
    for name in ("good", "rogue", "none", "hs256"):
        assert verdict(server, _bearer(name)) == "unauthenticated"
    assert verdict(server) == "allow"
    server.serve(replace(mesh, keys=(KeySet(source=KeySource(uri=uri), jwks=key_set("k1")),)))
    assert verdict(server, _bearer("good")) == "allow"
    assert verdict(server, _bearer("good2")) == "unauthenticated"


@pytest.mark.parametrize(
    "name",
    ["badsig", "expired", "notyet", "wrongiss", "rogue", "none", "hs256", "kidsql", "embeddedjwk"],
)
def test_a_token_that_is_not_right_is_refused(server: Rig, name: str) -> None:
    server.serve(mesh_of([_tokens(jwks=key_set())], PLAIN))
    assert verdict(server, _bearer(name)) == "unauthenticated"


def test_a_token_that_never_ends_is_refused_unless_verdicts_are_istios(server: Rig) -> None:
    for settings, wanted in ((PLAIN, "unauthenticated"), (replace(PLAIN, hardened=False), "allow")):
        server.serve(mesh_of([_tokens(jwks=key_set())], settings))
        assert verdict(server, _bearer("noexp")) == wanted


@pytest.mark.parametrize("jwks", ["", "nonsense", "[]", '{"keys":[]}', '{"keys":[{"kty":"RSA","n":"!","e":"AQAB"}]}'])
def test_keys_that_cannot_be_used_close_no_port_and_refuse_tokens(server: Rig, jwks: str) -> None:
    server.serve(mesh_of([_tokens(jwks=jwks)], PLAIN))
    assert verdict(server) == "allow"
    assert verdict(server, _bearer("good")) == "unauthenticated"


def test_a_token_can_be_required(server: Rig) -> None:
    server.serve(mesh_of([_tokens(jwks=key_set(), presence="REQUIRED")], PLAIN))
    assert verdict(server) == "unauthenticated"
    assert verdict(server, _bearer("good")) == "allow"


def test_tokens_come_in_parameters_and_cookies_and_payloads_go_to_the_application(server: Rig) -> None:
    rule = {"fromParams": ["token"], "fromCookies": ["session"], "outputPayloadToHeader": "x-payload"}
    required = policy("p", "ALLOW", [{"from": [{"source": {"requestPrincipals": ["iss-1/alice"]}}]}])
    server.serve(mesh_of([_tokens(jwks=key_set(), **rule), required], PLAIN))
    good = token(CASES["tokens"]["good"])
    told = server.call(request(server, path=f"/?token={good}"))
    assert told.verdict == "allow"
    assert json.loads(_decoded(dict(told.headers)["x-payload"]))["sub"] == "alice"
    assert verdict(server, ("cookie", f"session={good}")) == "allow"
    assert verdict(server, ("x-payload", "e30")) == "deny"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_policy_holds_at_once_for_connections_that_are_open(server: Rig) -> None:
    server.serve(mesh_of([], PLAIN))
    home = server.certificate(CASES["identities"]["client"], "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(f"{home}/chain.pem", f"{home}/key.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", server.ports["http"], context=context, timeout=5)
    with contextlib.closing(connection):
        seen = []
        for documents in ([], [policy("d", "DENY", [EVERYTHING])], [], [policy("a", "ALLOW", [])]):
            server.serve(mesh_of(documents, PLAIN))
            connection.request("GET", "/")
            local = connection.sock.getsockname() if connection.sock else None
            answer = connection.getresponse()
            answer.read()
            seen.append((answer.status, local))
    assert [status for status, _ in seen] == [200, 403, 200, 403]
    assert len({local for _, local in seen}) == 1


def test_what_is_only_tried_is_counted(server: Rig) -> None:
    tried = policy("tried", "DENY", [EVERYTHING])
    tried["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    server.serve(mesh_of([tried], PLAIN))
    assert verdict(server) == "allow"
    assert "istio_dry_run_deny_" in server.sidecar.ask("/stats?filter=rbac")


def test_an_audited_request_passes(server: Rig) -> None:
    server.serve(mesh_of([policy("audited", "AUDIT", [EVERYTHING])], PLAIN))
    assert verdict(server) == "allow"
    assert verdict(server, port="tcp", bytes_only=True) == "allow"


def _of_two(server: Rig, *, path: str = "/") -> str:
    """What becomes of a caller whose certificate has two identities."""
    certificate = server.certificate(
        {"uri": [f"spiffe://cluster.local/ns/{one}" for one in ("foo/sa/a", "bar/sa/b")]}, "two"
    )
    return server.call(Request(port=server.ports["http"], path=path, certificate=certificate)).verdict


def _about(action: str, paths: str, *names: str) -> dict[str, Any]:
    rule = {
        "from": [{"source": {"principals": [f"cluster.local/ns/{name}" for name in names]}}],
        "to": [{"operation": {"paths": [paths]}}],
    }
    written = "-".join(("p", action, *names)).lower()
    return policy(re.sub("[^a-z0-9-]", "-", written).strip("-"), action, [rule])


OTHERS = tuple(f"other-{index}/sa/x" for index in range(6))
"""So many that they are looked up in a map."""


def test_a_caller_with_two_identities_is_denied_by_whoever_denies_one_and_allowed_by_nobody(server: Rig) -> None:
    server.serve(mesh_of([_about("DENY", "/second", "bar/sa/b")], PLAIN))
    assert _of_two(server, path="/second") == "deny"
    assert _of_two(server, path="/else") == "allow"
    server.serve(mesh_of([_about("DENY", "/*", one) for one in OTHERS], PLAIN))
    assert _of_two(server) == "deny"
    assert verdict(server) == "allow"
    server.serve(mesh_of([_about("ALLOW", "/*", "foo/sa/a", "bar/sa/b"), _about("ALLOW", "/*", "foo/*")], PLAIN))
    assert _of_two(server) == "deny"
    server.serve(mesh_of([_about("ALLOW", "/*", one) for one in ("foo/sa/a", *OTHERS)], PLAIN))
    assert _of_two(server) == "deny"


def test_a_method_is_denied_in_whatever_case_it_comes_and_allowed_in_its_own(server: Rig) -> None:
    def asked(method: str) -> str:
        return verdict(server, port="http2", http2=True, method=method)

    methods = {"to": [{"operation": {"methods": ["DELETE", "PATC*"]}}]}
    server.serve(mesh_of([policy("deny", "DENY", [methods])], PLAIN))
    assert [asked(one) for one in ("DELETE", "delete", "patch", "get")] == ["deny", "deny", "deny", "allow"]
    server.serve(mesh_of([policy("allow", "ALLOW", [methods])], PLAIN))
    assert [asked(one) for one in ("DELETE", "delete", "patch", "get")] == ["allow", "deny", "deny", "deny"]
    server.serve(mesh_of([policy("allow", "ALLOW", [{"to": [{"operation": {"notMethods": ["DELETE"]}}]}])], PLAIN))
    assert [asked(one) for one in ("DELETE", "delete", "get")] == ["deny", "deny", "allow"]
