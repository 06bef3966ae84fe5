"""OTLP over HTTP on the agents' port: ``POST /v1/traces``, as protobuf or JSON, gzipped or not.

The specification's answers: an empty message in the same encoding, 400 for what is none, 415 for other encodings.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity
from weft.observe.sinks import Turns
from weft.observe.traces.otlp import LARGEST, NotOtlp, request_of, unzipped
from weft.observe.traces.tracing import Tracing

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


def span_routes(tracing: Tracing, caller: Callable[[Any], Identity | None]) -> tuple[BaseRoute, ...]:
    """The route. ``caller`` reads the peer's identity from an ASGI scope."""

    turns = Turns()

    async def export(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return JSONResponse({"message": "this needs a certificate of this mesh"}, 401)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in {_PROTOBUF, _JSON}:
            return JSONResponse({"message": f"send {_PROTOBUF} or {_JSON}"}, 415)
        try:
            content = await _body(request)
            if kind == _JSON:
                # Slow to read, and by a library that does it in one go.
                exported = await asyncio.to_thread(request_of, content, json=True)
                content = exported.SerializeToString()
            await turns.read(partial(tracing.take, identity), content)
        except NotOtlp as wrong:
            return JSONResponse({"message": str(wrong)}, 400)
        return Response(b"{}" if kind == _JSON else b"", media_type=kind)

    return (Route("/v1/traces", export, methods=["POST"]),)


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST:
            raise NotOtlp(f"the body is larger than {LARGEST} bytes")
    return unzipped(bytes(content)) if request.headers.get("content-encoding", "") == "gzip" else bytes(content)
