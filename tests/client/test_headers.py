"""Which headers are carried, and which are left alone."""

import asyncio
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "client" / "src"))

from weft_client import added, asgi, carried, take, taken, wsgi
from weft_client.hooks import apply

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_only_trace_headers_are_carried_whatever_their_case():
    with taken([(b"TraceParent", _PARENT.encode()), (b"Cookie", b"secret"), ("X-Request-Id", "7")]):
        assert carried() == {"traceparent": _PARENT, "x-request-id": "7"}
    assert carried() == {}


def test_lists_in_several_lines_are_one_list():
    with taken([("tracestate", "a=1"), ("tracestate", "b=2"), ("b3", "1"), ("b3", "0")]):
        assert carried() == {"tracestate": "a=1,b=2", "b3": "0"}


def test_a_call_with_a_trace_of_its_own_keeps_it():
    with taken({"traceparent": _PARENT, "tracestate": "a=1", "x-request-id": "7"}):
        assert added(["TraceParent", "accept"]) == [("x-request-id", "7")]
        assert dict(added(["tracestate"])) == {"traceparent": _PARENT, "x-request-id": "7"}
        assert added(["b3", "X-Request-ID"]) == []


@pytest.mark.parametrize("value", ["a\r\nx-admin: 1", "a\0", "a" * 9000])
def test_what_could_not_be_sent_is_not_carried(value: str):
    with taken({"baggage": value}):
        assert carried() == {}


def test_a_request_without_trace_ends_the_one_before():
    take({"traceparent": _PARENT})
    take({})
    assert carried() == {}


@pytest.mark.asyncio
async def test_requests_that_are_served_at_once_do_not_mix():
    seen: dict[str, str] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.01)
        seen[scope["path"]] = (await asyncio.to_thread(carried))["x-request-id"]

    served = asgi.TraceMiddleware(application)
    scopes = [{"type": "http", "path": str(n), "headers": [(b"x-request-id", b"%d" % n)]} for n in range(20)]
    await asyncio.gather(*(served(scope, None, None) for scope in scopes))
    assert seen == {str(n): str(n) for n in range(20)}
    assert carried() == {}


def test_a_wsgi_application_finds_them_while_it_answers():
    def application(environ: Any, start: Any) -> Any:
        return (carried()["b3"].encode() for _ in range(1))

    answer = wsgi.TraceMiddleware(application)({"HTTP_B3": "1", "HTTP_COOKIE": "x"}, None)
    assert list(answer) == [b"1"]


def test_a_library_of_a_version_nobody_knew_is_left_as_it_was():
    strange = ModuleType("requests.sessions")
    apply(strange)
    assert not hasattr(strange, "__weft_client__")
