"""T9: a client from outside wants to slip by a policy, or to be taken for somebody else. It is read in one way."""

import json
from collections.abc import Iterator

import pytest

from tests.threats.edge import Edge, applied

pytestmark = pytest.mark.live
SECURITY = "security.istio.io"


@pytest.fixture(scope="module")
def guarded(front: Edge) -> Iterator[Edge]:
    """The gateway denies ``/admin``, a host, and a header's value."""
    rules = [
        {"to": [{"operation": {"paths": ["/admin", "/admin/*"]}}]},
        {"to": [{"operation": {"hosts": ["secret.example.com"]}}]},
        {"to": [{"operation": {"methods": ["DELETE"]}}]},
        {"when": [{"key": "request.headers[x-role]", "values": ["evil"]}]},
    ]
    spec = {"selector": {"matchLabels": {"app": "edge"}}, "action": "DENY", "rules": rules}
    applied(front.attacked, SECURITY, "authorizationpolicies", "AuthorizationPolicy", "edge", spec)
    from tests.intents.minimesh import until

    until(lambda: front.get("/admin")[0] == 403)
    yield front
    path = f"/apis/{SECURITY}/v1/namespaces/shop/authorizationpolicies/edge"
    assert front.attacked.ask("DELETE", path).status == 200
    until(lambda: front.get("/admin")[0] == 200)


PATHS = [
    "/admin/x",
    "//admin",
    "/./admin",
    "/x/../admin",
    "/x//..//../admin",
    "/%61dmin",
    "/%2e/admin",
    "/x/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/%2fadmin",
    "/%5cadmin",
    "/x\\..\\admin",
    "/x/..;/admin",
    "/x/%2e%2e;/admin",
    "/admin?x",
    "/admin#x",
    "/admin/",
    "/admin%00",
    "http://shop.example.com/admin",
    "http://other.example.com//admin",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_of_a_path_slips_by(path: str, guarded: Edge) -> None:
    status, _, body = guarded.get(path)
    assert status in (400, 403, 404) or (status == 200 and json.loads(body)["line"].split()[1] == "/x/admin")


HOSTS = [
    b"host: secret.example.com",
    b"Host: SECRET.example.com",
    b"host: secret.example.com:80",
    b"host: secret.example.com.",
    b"host: shop.example.com\r\nhost: secret.example.com",
    b"host: secret.example.com\r\nhost: shop.example.com",
    b"host: shop.example.com@secret.example.com",
    b"host: shop.example.com, secret.example.com",
    b"host:  secret.example.com ",
]


@pytest.mark.parametrize("head", HOSTS)
def test_no_spelling_of_a_host_slips_by(head: bytes, guarded: Edge) -> None:
    assert guarded.send(b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n")[0] in (400, 403, 404)


@pytest.mark.parametrize(
    "role",
    [b"evil", b"good\r\nx-role: evil", b"evil\r\nx-role: good", b"good\r\nX-Role: evil", b"good\r\nx_role: evil"],
)
def test_no_second_header_slips_by(role: bytes, guarded: Edge) -> None:
    raw = b"GET / HTTP/1.1\r\nhost: shop.example.com\r\nx-role: " + role + b"\r\n\r\n"
    assert guarded.send(raw)[0] in (400, 403)


SMUGGLED = {
    "length and chunks": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ncontent-length: 0\r\ncontent-length: 44\r\n\r\n"
    b"GET /admin HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "odd chunks": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ntransfer-encoding: xchunked\r\n\r\n"
    b"0\r\n\r\nGET /admin HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "chunks and more": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ntransfer-encoding: chunked, identity\r\n\r\n"
    b"0\r\n\r\nGET /admin HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "a space before the colon": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ntransfer-encoding : chunked\r\n\r\n"
    b"0\r\n\r\nGET /admin HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "a length with a sign": b"POST / HTTP/1.1\r\nhost: shop.example.com\r\ncontent-length: +5\r\n\r\nhello",
    "a lower-case method": b"delete / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n",
    "a NUL": b"GET / HTTP/1.1\r\nhost: shop.example.com\r\nx: a\x00b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1:22\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_hides_in_another(name: str, guarded: Edge) -> None:
    status, _, body = guarded.send(SMUGGLED[name])
    assert status in (0, 400, 403, 404, 405, 501), body


FORGED = "By=spiffe://x;Hash=aa;URI=spiffe://cluster.local/ns/shop/sa/admin"


def test_what_a_client_says_of_itself_is_not_believed(front: Edge) -> None:
    seen = front.seen(
        x_forwarded_for="6.6.6.6",
        x_forwarded_client_cert=FORGED,
        x_envoy_external_address="6.6.6.6",
        x_envoy_internal="true",
        x_envoy_original_path="/admin",
        x_envoy_expected_rq_timeout_ms="1",
        x_envoy_max_retries="99",
        x_envoy_upstream_alt_stat_name="evil",
        x_envoy_decorator_operation="evil",
        x_envoy_force_trace="1",
        x_envoy_retry_on="5xx",
        x_envoy_upstream_rq_timeout_ms="1",
        x_envoy_attempt_count="9",
        x_envoy_peer_metadata="evil",
        x_forwarded_proto="https",
        x_forwarded_host="evil.example.com",
        x_forwarded_port="1",
        x_forwarded_prefix="/evil",
        x_original_url="/admin",
        x_rewrite_url="/admin",
        forwarded="for=6.6.6.6;host=evil.example.com",
        x_real_ip="6.6.6.6",
        x_istio_attributes="evil",
        X_Envoy_Peer_Metadata_Id="evil",
    )
    assert seen["x-forwarded-client-cert"] == [_of_the_gateway(seen)]
    assert not any("6.6.6.6" in value for value in seen["x-envoy-external-address"])
    assert seen["x-forwarded-for"][-1].rpartition(",")[2] != "6.6.6.6"
    assert seen["x-forwarded-proto"] == ["http"]
    told = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert", "x-request-id"}
    assert seen.keys() == told | {"traceparent", "x-envoy-external-address"}


def _of_the_gateway(seen: dict[str, list[str]]) -> str:
    """The only certificate that the sidecar saw is the gateway's."""
    (value,) = seen["x-forwarded-client-cert"]
    assert value.count("URI=") == 1
    assert value.endswith("URI=spiffe://cluster.local/ns/shop/sa/edge")
    return value


def test_the_admin_interface_is_a_socket_that_its_owner_alone_may_use(front: Edge) -> None:
    for process in (front.gateway, front.app):
        path = process.admin()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o077 == 0
    for path in ("/config_dump", "/stats", "/quitquitquit", "/ready", "/certs", "/stats/prometheus/../../config_dump"):
        status, _, body = front.get(path)
        assert b"configs" not in body, status
