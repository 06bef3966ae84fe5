"""What every HTTP service has around its own routes, shown with the catalog and the reviews."""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.examples.shop import SHOP, Running, environment, recorder, service

pytestmark = pytest.mark.slow

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED = {
    "traceparent": TRACE,
    "tracestate": "vendor=1",
    "baggage": "tenant=blue",
    "x-request-id": "r-1",
    "end-user": "ada",
}
RATINGS = json.dumps({"product": 1, "ratings": {"Ada": 5}}).encode()


def test_every_answer_names_the_instance_and_hands_the_request_id_back(catalog: Running, client: httpx2.Client) -> None:
    answer = client.get(f"{catalog.url}/products/1", headers={"x-request-id": "abc"})
    assert answer.headers["x-served-by"] == f"catalog-v1-{catalog.process.pid}"
    assert answer.headers["x-request-id"] == "abc"
    assert "x-served-via" not in answer.headers


def test_whoami_shows_the_headers_that_a_sidecar_added(catalog: Running, client: httpx2.Client) -> None:
    who = "By=spiffe://mesh/ns/shop/sa/catalog;URI=spiffe://mesh/ns/shop/sa/web"
    answer = client.get(f"{catalog.url}/whoami", headers={"x-forwarded-client-cert": who}).json()
    assert (answer["service"], answer["version"]) == ("catalog", "v1")
    assert answer["headers"]["x-forwarded-client-cert"] == who


def test_calls_go_through_the_proxy_whatever_else_the_environment_says_and_carry_the_trace(
    tmp_path: Path, client: httpx2.Client
) -> None:
    with recorder(RATINGS) as (proxy, seen):
        traps = {"NO_PROXY": "*", "no_proxy": "ratings", "http_proxy": "http://127.0.0.1:1"}
        with service("reviews.py", tmp_path, VERSION="v3", HTTP_PROXY=proxy, **traps) as reviews:
            answer = client.get(f"{reviews.url}/reviews/1", headers=CARRIED)
    assert answer.json()["average"] == 5
    assert [request.target for request in seen] == ["http://ratings:9080/ratings/1"]
    assert seen[0].headers["host"] == "ratings:9080"
    assert seen[0].headers.items() >= CARRIED.items()


def test_a_trace_that_does_not_parse_starts_anew_and_an_odd_request_id_is_replaced(
    tmp_path: Path, client: httpx2.Client
) -> None:
    with recorder(RATINGS) as (url, seen), service("reviews.py", tmp_path, VERSION="v3", RATINGS_URL=url) as reviews:
        odd = CARRIED | {"traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01", "x-request-id": "a b"}
        answer = client.get(f"{reviews.url}/reviews/1", headers=odd)
    carried = seen[0].headers
    assert re.fullmatch("00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01", carried["traceparent"])
    assert "tracestate" not in carried
    assert carried["x-request-id"] == answer.headers["x-request-id"] != "a b"


def test_knobs_fail_the_next_requests_and_then_no_more(catalog: Running, client: httpx2.Client) -> None:
    assert client.post(f"{catalog.url}/knobs", json={"fail_next": 2, "error_status": 500}).json()["fail_next"] == 2
    try:
        assert [client.get(f"{catalog.url}/products/1").status_code for _ in range(3)] == [500, 500, 200]
        assert client.get(f"{catalog.url}/healthz").status_code == 200
    finally:
        reset = client.delete(f"{catalog.url}/knobs").json()
    assert reset == {"error_rate": 0, "error_status": 503, "fail_next": 0, "delay_ms": 0, "healthy": True}


def test_knobs_delay_fail_and_report_sick_until_they_are_reset(catalog: Running, client: httpx2.Client) -> None:
    client.post(f"{catalog.url}/knobs", json={"error_rate": 1, "delay_ms": 100, "healthy": False})
    try:
        began = time.monotonic()
        assert client.get(f"{catalog.url}/products/1").status_code == 503
        assert time.monotonic() - began >= 0.1
        assert client.get(f"{catalog.url}/healthz").status_code == 503
    finally:
        client.delete(f"{catalog.url}/knobs")
    assert client.get(f"{catalog.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *('{"fail_nxt": 1}', '{"error_rate": 1.5}', '{"error_rate": NaN}', '{"delay_ms": true}', '{"healthy": 1}'),
        *('{"error_status": 200}', "[]", "{", '{"delay_ms": 5, "fail_next": -1}', "\x80"),
    ],
)
def test_knobs_that_make_no_sense_are_refused_and_change_nothing(
    catalog: Running, client: httpx2.Client, body: str
) -> None:
    before = client.get(f"{catalog.url}/knobs").json()
    answer = client.post(f"{catalog.url}/knobs", content=body.encode("latin-1"))
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.get(f"{catalog.url}/knobs").json() == before


def test_knobs_do_not_turn_through_the_mesh(catalog: Running, client: httpx2.Client) -> None:
    answer = client.post(f"{catalog.url}/knobs", json={"fail_next": 1}, headers={"x-forwarded-client-cert": "By=x"})
    assert answer.status_code == 403
    assert client.get(f"{catalog.url}/knobs").json()["fail_next"] == 0


def test_a_request_under_way_is_answered_before_the_service_stops(tmp_path: Path, client: httpx2.Client) -> None:
    with service("ratings.py", tmp_path) as running:
        client.post(f"{running.url}/knobs", json={"delay_ms": 400})
        host, _, port = running.address.rpartition(":")
        with socket.create_connection((host, int(port)), 20) as asking:
            asking.sendall(b"GET /ratings/1 HTTP/1.1\r\nhost: ratings\r\nconnection: close\r\n\r\n")
            until = time.monotonic() + 20
            while _unread(int(port), asking.getsockname()[1]):
                assert time.monotonic() < until, "the service does not read"
                time.sleep(0.005)
            assert running.stop() == 0
            assert asking.recv(100).startswith(b"HTTP/1.1 200 ")
        assert running.log.read_text().splitlines()[-1].endswith(" stopped")


def _unread(port: int, of: int) -> bool:
    """Whether what came to a port of this host from another one still waits in the kernel."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if (int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)) == (port, of):
            return int(queues.partition(":")[2], 16) > 0
    return False


@pytest.mark.parametrize("script", ["catalog.py", "orders.py"])
def test_a_taken_port_ends_the_service_with_a_clear_error(catalog: Running, script: str) -> None:
    taken = environment(PORT=catalog.address.rpartition(":")[2])
    ended = subprocess.run(
        [sys.executable, str(SHOP / script)], env=taken, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: cannot listen on {catalog.address}: Address already in use\nhelp: set PORT to a free port\n"
    )
