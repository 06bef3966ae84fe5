"""``weft_client.Client``, deadlines and middleware, without a mesh."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest

from weft.client_package import client_module

weft_client, place, caller = client_module(), client_module("place"), client_module("caller")
asgi, wsgi = client_module("asgi"), client_module("wsgi")

WEB = "spiffe://cluster.local/ns/shop/sa/web"
XFCC = f"By=spiffe://cluster.local/ns/shop/sa/reviews;Hash=1f;URI={WEB}"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEFT_WORKLOAD", "WEFT_UPSTREAM_REVIEWS", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({}, place.Way("http://reviews:9080")),
        ({"http_proxy": "http://proxy.example:3128"}, place.Way("http://reviews:9080")),
        (
            {"http_proxy": "http://127.0.0.1:4", "WEFT_WORKLOAD": "web-1"},
            place.Way("http://reviews:9080", proxy="http://127.0.0.1:4"),
        ),
        (
            {"WEFT_UPSTREAM_REVIEWS": "127.0.0.1:5", "http_proxy": "http://127.0.0.1:4", "WEFT_WORKLOAD": "web-1"},
            place.Way("http://127.0.0.1:5", host="reviews:9080"),
        ),
    ],
)
def test_a_service_is_reached_by_its_local_port_then_the_sidecars_proxy_then_its_name(
    environment: Mapping[str, str], way: Any
) -> None:
    with place.placed(environment):
        assert place.way_to("reviews", 9080) == way


def test_a_names_dots_and_dashes_are_those_of_weft_runs_variables() -> None:
    with place.placed({"WEFT_UPSTREAM_BOOK_REVIEWS_SHOP": "127.0.0.1:6"}):
        assert place.way_to("book-reviews.shop", None) == place.Way("http://127.0.0.1:6", host="book-reviews.shop")


@pytest.mark.parametrize("service", ["https://reviews", "reviews/path", "", "reviews:x"])
def test_what_is_no_service_is_refused(service: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        weft_client.Client(service)


class Seen:
    """A transport that answers everything and remembers it."""

    def __init__(self, wait: float = 0.0) -> None:
        self.requests: list[httpx2.Request] = []
        self._wait = wait

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(200, text="well")

    async def later(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(self._wait)
        return self(request)


@pytest.mark.usefixtures("nowhere")
def test_a_call_has_the_trace_headers_and_the_rest_of_the_time() -> None:
    seen = Seen()
    with weft_client.Client("reviews:9080", transport=httpx2.MockTransport(seen), headers={"x-own": "1"}) as client:
        with weft_client.taken({"traceparent": "00-a-b-01", "x-request-id": "7"}), weft_client.deadline(2.0):
            assert client.get("/1").text == "well"
        client.post("/2", json={"a": 1}, headers={"x-own": "2"})
    first, second = seen.requests
    assert str(first.url) == "http://reviews:9080/1"
    assert (first.headers["traceparent"], first.headers["x-request-id"], first.headers["x-own"]) == (
        "00-a-b-01",
        "7",
        "1",
    )
    assert 1_000 < int(first.headers["x-weft-timeout-ms"]) <= 2_000
    assert "traceparent" not in second.headers
    assert (second.headers["x-own"], second.content) == ("2", b'{"a":1}')
    assert 14_000 < int(second.headers["x-weft-timeout-ms"]) <= 15_000


@pytest.mark.usefixtures("nowhere")
def test_the_local_port_of_an_upstream_is_told_which_service_is_meant() -> None:
    seen = Seen()
    with place.placed({"WEFT_UPSTREAM_REVIEWS": "127.0.0.1:6"}):
        weft_client.Client("reviews", transport=httpx2.MockTransport(seen)).get("/")
    assert (str(seen.requests[0].url), seen.requests[0].headers["host"]) == ("http://127.0.0.1:6/", "reviews")


@pytest.mark.usefixtures("nowhere")
def test_nothing_is_called_when_the_time_is_over() -> None:
    seen = Seen()
    client = weft_client.Client("reviews", transport=httpx2.MockTransport(seen))
    with weft_client.deadline(0.001):
        time.sleep(0.002)
        with pytest.raises(weft_client.DeadlineExceeded):
            client.get("/")
    assert seen.requests == []


@pytest.mark.usefixtures("nowhere")
def test_an_inner_deadline_cannot_be_later_than_an_outer_one() -> None:
    with weft_client.deadline(1.0), weft_client.deadline(60.0):
        assert weft_client.remaining() <= 1.0
        assert weft_client.remaining(0.5) == 0.5
    assert weft_client.remaining() is None


@pytest.mark.usefixtures("nowhere")
def test_an_asynchronous_call_ends_in_time_whatever_the_service_does() -> None:
    seen = Seen(wait=30.0)

    async def call() -> None:
        async with weft_client.AsyncClient("reviews", transport=httpx2.MockTransport(seen.later)) as client:
            await client.get("/", timeout=0.05)

    began = time.monotonic()
    with pytest.raises(weft_client.DeadlineExceeded):
        asyncio.run(call())
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (XFCC, (WEB, "cluster.local", "shop", "web")),
        (f'Hash=1;Subject="CN=a,O=\\"b;URI=spiffe://x/ns/a/sa/b\\"";URI={WEB}', (WEB, "cluster.local", "shop", "web")),
        (f"URI=spiffe://edge/ns/a/sa/b,URI={WEB}", (WEB, "cluster.local", "shop", "web")),
        ("URI=spiffe://example.org/batch", ("spiffe://example.org/batch", "example.org", "", "")),
        (f"URI={WEB};URI=spiffe://cluster.local/ns/shop/sa/admin", None),
        ("URI=https://example.org", None),
        ("Hash=1", None),
        ("URI=spiffe://", None),
        (f"URI={WEB}" + "x" * 20_000, None),
        ("", None),
    ],
)
def test_the_caller_is_the_one_name_that_tls_proved_last(header: str, found: Any) -> None:
    parsed = caller.parse(header)
    assert (tuple(parsed) if parsed else None) == found


def test_asgi_middleware_says_who_calls_and_passes_the_deadline_on() -> None:
    told: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        told.update(caller=scope["weft"].caller, left=scope["weft"].remaining, deadline=weft_client.remaining())
        told["same"] = weft_client.current() is scope["weft"]

    scope = {
        "type": "http",
        "path": "/",
        "headers": [(b"x-forwarded-client-cert", XFCC.encode()), (b"x-weft-timeout-ms", b"500")],
    }
    asyncio.run(asgi.Middleware(application)(scope, None, None))
    assert (told["caller"].namespace, told["caller"].account, told["same"]) == ("shop", "web", True)
    assert 0 < told["deadline"] <= told["left"] + 0.1 <= 0.6
    assert "weft" not in scope, "the server's own scope stays as it was"
    assert weft_client.current() is None
    assert weft_client.remaining() is None


def test_a_caller_that_proved_nothing_and_waits_as_it_likes_is_nobody() -> None:
    told: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        told.append((scope["weft"].caller, scope["weft"].remaining))

    for said in (b"", b"-1", b"abc", b"99999999999999", b"0"):
        headers = [(b"x-weft-timeout-ms", said)]
        asyncio.run(asgi.Middleware(application)({"type": "http", "path": "/", "headers": headers}, None, None))
    assert told == [(None, None)] * 5


@pytest.mark.parametrize(("well", "status"), [(None, 200), (lambda: True, 200), (lambda: False, 503)])
def test_middleware_answers_health_checks_for_the_application(well: Callable[[], bool] | None, status: int) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(*_: Any) -> None:
        raise AssertionError("the application is not asked")

    middle = asgi.Middleware(never, health="/healthz", well=well)
    asyncio.run(middle({"type": "http", "path": "/healthz", "headers": []}, None, send))
    assert sent[0]["status"] == status

    began: list[str] = []
    old = wsgi.Middleware(None, health="/healthz", well=well)
    old({"PATH_INFO": "/healthz"}, lambda line, _: began.append(line))
    assert began[0].startswith(str(status))


def test_wsgi_middleware_says_who_calls_and_forgets_the_last_requests_deadline() -> None:
    told: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        told.append((environ["weft"].caller, weft_client.remaining()))
        return []

    middle = wsgi.Middleware(application)

    def serve() -> None:
        middle({"PATH_INFO": "/", "HTTP_X_FORWARDED_CLIENT_CERT": XFCC, "HTTP_X_WEFT_TIMEOUT_MS": "500"}, None)
        middle({"PATH_INFO": "/"}, None)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    (first, left), second = told
    assert (first.uri, second) == (WEB, (None, None))
    assert 0 < left <= 0.5
