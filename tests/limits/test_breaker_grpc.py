"""A circuit breaker knows gRPC's statuses, which come at the end of an answer, and does not hold the answer back."""

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from msgspec.structs import replace

from weft.agent.breakers import VARIABLE, make_file, read_file
from weft.compiler.http_filters import breakers
from weft.compiler.http_filters.extras import Extras
from weft.kit.envoy_binary import find_envoy
from weft.model.breaker import Breaker
from weft.model.match import ANY_REQUEST
from weft.model.route import Backend, Destination, Forward
from weft.view.view import Guarded, Route

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
_TYPES = "type.googleapis.com/envoy.extensions"
_SLOW = 1.0
_BREAKER = Breaker(
    name="shop/grpc", failure_threshold=2, grpc_statuses=(13, 14), slow_call=round(_SLOW * 1000), slow_rate=100.0
)


def _json(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)


def _config(port: int, upstream: int, admin: Path) -> dict[str, Any]:
    """An Envoy that speaks HTTP/2 on both sides, with the breaker at its only route."""
    there = Destination(host="app", port=80)
    route = Route(
        match=ANY_REQUEST,
        action=Forward(backends=(Backend(destination=there),)),
        breakers=(Guarded(destination=there, breaker=replace(_BREAKER, window=0)),),
    )
    (script,) = breakers.http_filters(Extras(breakers=True))
    said = {name: _json(one) for name, one in breakers.on_route(route).items()}
    router = {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}
    action = {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}, "typed_per_filter_config": said}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [action]}]},
        "http_filters": [_json(script), router],
    }
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "admin": {"address": {"pipe": {"path": str(admin)}}},
        "static_resources": {
            "listeners": [{"name": "in", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [cluster],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


class _Answers(grpc.GenericRpcHandler):
    """``/unary/CODE`` ends with a status, ``/stream/CODE`` after two messages, the second once ``go`` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    def service(self, details: Any) -> Any:
        _, kind, code = details.method.split("/")

        async def unary(request: bytes, call: Any) -> bytes:
            if code != "OK":
                await call.abort(grpc.StatusCode[code], "as asked")
            return request

        async def stream(request: bytes, call: Any) -> AsyncIterator[bytes]:
            yield request
            await self.go.wait()
            yield request
            if code != "OK":
                await call.abort(grpc.StatusCode[code], "as asked")

        if kind == "unary":
            return grpc.unary_unary_rpc_method_handler(unary)
        return grpc.unary_stream_rpc_method_handler(stream)


@contextlib.contextmanager
def _envoy(config: dict[str, Any], directory: Path, file: Path) -> Iterator[None]:
    (directory / "envoy.json").write_text(json.dumps(config))
    command = [str(find_envoy().path), "--config-path", str(directory / "envoy.json"), "--concurrency", "2"]
    command += ["--disable-hot-restart", "--log-level", "warning"]
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env={**os.environ, VARIABLE: str(file)})
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)


async def test_statuses_at_the_end_of_answers_count_and_answers_are_not_held_back(
    tmp_path: Path, free_port: Callable[[], int]
):
    port, answers = free_port(), _Answers()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((answers,))
    upstream = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    file = tmp_path / "breakers"
    make_file(file)
    try:
        with _envoy(_config(port, upstream, tmp_path / "admin.sock"), tmp_path, file):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await _check(channel, file, answers.go)
    finally:
        await server.stop(None)


async def _check(channel: grpc.aio.Channel, file: Path, go: asyncio.Event) -> None:
    async def ends(method: str) -> str:
        try:
            if method.startswith("/unary"):
                await channel.unary_unary(method)(b"x", wait_for_ready=True, timeout=10)
            else:
                async for _ in channel.unary_stream(method)(b"x", timeout=10):
                    pass
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {error.details()}"
        return "OK"

    assert await ends("/unary/OK") == "OK"
    assert await ends("/unary/NOT_FOUND") == "NOT_FOUND as asked"
    messages = channel.unary_stream("/stream/INTERNAL")(b"x", timeout=10)
    assert await messages.read() == b"x", "the first message waits for nothing"
    await asyncio.sleep(_SLOW + 0.1)  # an answer that begins soon is not slow, however long it goes on
    go.set()
    assert await messages.read() == b"x"
    assert await messages.code() is grpc.StatusCode.INTERNAL
    (state,) = read_file(file, time.monotonic())
    assert (state.calls, state.failures, state.slow, state.state) == (3, 1, 0, "closed")
    assert await ends("/unary/INTERNAL") == "INTERNAL as asked"
    (state,) = read_file(file, time.monotonic())
    assert (state.failures, state.state) == (2, "open")
    assert (await ends("/unary/OK")).startswith("UNAVAILABLE")
