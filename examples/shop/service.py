"""What every HTTP service of the shop has around its own routes.

``/healthz`` and ``/whoami`` answer what a prober and a curious reader ask. ``/knobs`` makes this one
instance misbehave on purpose: fail, be slow, report itself sick. Each answer names its instance.
"""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass

import tracing
import uvicorn
from outgoing import http_client
from process import DRAIN_SECONDS, Identity, address_of, bind, log
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADMIN_PATHS = ("/healthz", "/whoami", "/knobs")
# A sidecar keeps idle connections to its application for an hour. If we closed them first, a request
# sent at that very moment would be lost.
KEEP_ALIVE_SECONDS = 2 * 3600


# What each knob may be set to: the types, the lowest and the highest value.
KNOB_RANGES: dict[str, tuple[tuple[type, ...], float, float]] = {
    "error_rate": ((int, float), 0, 1),
    "error_status": ((int,), 400, 599),
    "fail_next": ((int,), 0, 1_000_000),
    "delay_ms": ((int,), 0, 60_000),
    "healthy": ((bool,), False, True),
}


@dataclass(kw_only=True)
class Knobs:
    """How this instance misbehaves; as it starts, not at all."""

    error_rate: float = 0.0  # share of requests that fail, from 0 to 1
    error_status: int = 503  # the status that they fail with
    fail_next: int = 0  # so many requests fail, and then no more
    delay_ms: int = 0  # every request waits so long first
    healthy: bool = True  # what /healthz says

    def turn(self, wanted: object) -> None:
        """Set what `wanted` names and leave the rest; ValueError, and nothing set, if it makes no sense."""
        if not isinstance(wanted, dict) or not wanted.keys() <= KNOB_RANGES.keys():
            raise ValueError(f"expected a JSON object with some of: {', '.join(KNOB_RANGES)}")
        for name, value in wanted.items():
            kinds, lowest, highest = KNOB_RANGES[name]
            if type(value) not in kinds or not lowest <= value <= highest:
                raise ValueError(f"{name} must be a {kinds[-1].__name__} from {lowest} to {highest}")
        for name, value in wanted.items():
            setattr(self, name, value)

    async def strike(self) -> Response | None:
        """Wait as told; the error to answer with, if this request is to fail."""
        if self.delay_ms:
            await asyncio.sleep(self.delay_ms / 1000)
        if self.fail_next:
            self.fail_next -= 1
        elif random.random() >= self.error_rate:
            return None
        return JSONResponse({"error": "this instance was told to fail"}, self.error_status)


class Signed:
    """ASGI middleware: takes over the trace, lets the knobs strike, signs every answer."""

    def __init__(self, app: ASGIApp, who: Identity, knobs: Knobs) -> None:
        self.app, self.who, self.knobs = app, who, knobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        tracing.begin(Headers(scope=scope))

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-served-by"] = str(self.who)
                headers["x-request-id"] = tracing.request_id()
                if tracing.served_via():
                    headers["x-served-via"] = tracing.served_via()
            await send(message)

        fault = None if scope["path"] in ADMIN_PATHS else await self.knobs.strike()
        try:
            await (fault or self.app)(scope, receive, signed)
        except Exception as error:  # noqa: BLE001 -- the boundary: a defect costs one request, and one line in the log
            log(self.who, "defect", path=scope["path"], error=f"{type(error).__name__}: {error}")


def admin_routes(who: Identity, knobs: Knobs) -> list[BaseRoute]:
    async def healthz(request: Request) -> Response:
        return JSONResponse({"healthy": knobs.healthy}, 200 if knobs.healthy else 503)

    async def whoami(request: Request) -> Response:
        return JSONResponse(asdict(who) | {"headers": dict(request.headers)})

    async def turn(request: Request) -> Response:
        if "x-forwarded-client-cert" in request.headers:
            return JSONResponse({"error": "knobs turn at the instance's own port, not through the mesh"}, 403)
        try:
            if request.method == "POST":
                knobs.turn(json.loads(await request.body()))
        except ValueError as error:  # also what json and UTF-8 raise
            return JSONResponse({"error": str(error)}, 400)
        if request.method == "DELETE":
            knobs.turn(asdict(Knobs()))
        if request.method != "GET":
            log(who, "knobs", **asdict(knobs))
        return JSONResponse(asdict(knobs))

    return [
        Route("/healthz", healthz),
        Route("/whoami", whoami),
        Route("/knobs", turn, methods=["GET", "POST", "DELETE"]),
    ]


async def _defect(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)


Opening = Callable[[], AbstractAsyncContextManager[Mapping[str, object]]]


def serve(who: Identity, routes: Sequence[BaseRoute], also_open: Opening | None = None) -> None:
    """Run one HTTP service until SIGTERM; requests under way get DRAIN_SECONDS to finish.

    Handlers find the HTTP client as ``request.state.http``, and there too what `also_open` yields.
    """
    bound, knobs = bind(9080), Knobs()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Mapping[str, object]]:
        async with http_client() as client, (also_open or nullcontext[Mapping[str, object]])() as more:
            log(who, "listening", address=address_of(bound))
            yield {"http": client, **(more or {})}
        log(who, "stopped")

    app = Starlette(
        routes=[*admin_routes(who, knobs), *routes], lifespan=lifespan, exception_handlers={Exception: _defect}
    )
    config = uvicorn.Config(
        Signed(app, who, knobs),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)

    def end(number: int, frame: object) -> None:
        """Uvicorn raises the signal once more after its clean end: nothing is left to do then."""
        if not server.should_exit:
            raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    server.run(sockets=[bound])
