"""An application that knows nothing of traces: asked anything, it asks another and answers what that one saw.

``python application.py SERVER CLIENT PORT ADDRESS``. Imported by nobody.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

server, client, port, callee = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
url = f"http://{callee}/"


def ask() -> bytes:
    if client == "httpx":
        import httpx

        return httpx.get(url).content
    if client == "httpx2":
        import httpx2

        return httpx2.get(url).content
    if client == "requests":
        import requests

        return bytes(requests.get(url, timeout=5).content)
    if client == "grpc":
        import grpc

        with grpc.insecure_channel(callee) as channel:
            return bytes(channel.unary_unary("/test.Echo/Seen")(b"", timeout=5))
    import urllib.request

    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


async def ask_later() -> bytes:
    if client == "aiohttp":
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(url, headers={"x-own": "1"}) as answer:
            return await answer.read()
    if client == "httpx.async":
        import httpx

        async with httpx.AsyncClient() as session:
            return (await session.get(url)).content
    if client == "grpc.aio":
        import grpc.aio

        async with grpc.aio.insecure_channel(callee) as channel:
            return bytes(await channel.unary_unary("/test.Echo/Seen")(b"", timeout=5))
    return await asyncio.to_thread(ask)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    seen = await ask_later()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": seen})


def wsgi(environ: Any, start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [])
    return [ask()]


def serve_http() -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen = ask()
            self.send_response(200)
            self.send_header("Content-Length", str(len(seen)))
            self.end_headers()
            self.wfile.write(seen)

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


def serve_gunicorn() -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self) -> None:
            self.cfg.set("bind", f"127.0.0.1:{port}")

        def load(self) -> Any:
            return wsgi

    Application().run()


def serve_aiohttp() -> None:
    from aiohttp import web

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=await ask_later())

    application = web.Application()
    application.router.add_get("/", handle)
    web.run_app(application, host="127.0.0.1", port=port, print=lambda _: None)


def serve_hypercorn(application: Any) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(application, config))


def serve_grpc() -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    serving = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: ask())
    serving.add_registered_method_handlers("test.Echo", {"Seen": handler})
    serving.add_insecure_port(f"127.0.0.1:{port}")
    serving.start()
    serving.wait_for_termination()


async def serve_grpc_aio() -> None:
    import grpc
    import grpc.aio

    async def seen(request: bytes, context: Any) -> bytes:
        return await ask_later()

    serving = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(seen)
    serving.add_registered_method_handlers("test.Echo", {"Seen": handler})
    serving.add_insecure_port(f"127.0.0.1:{port}")
    await serving.start()
    await serving.wait_for_termination()


def serve_uvicorn() -> None:
    import uvicorn

    uvicorn.run(asgi, host="127.0.0.1", port=port, log_level="error")


def serve_waitress() -> None:
    import waitress

    waitress.serve(wsgi, host="127.0.0.1", port=port, _quiet=True)


def serve_werkzeug() -> None:
    from werkzeug.serving import make_server

    make_server("127.0.0.1", port, wsgi).serve_forever()


def serve_wsgiref() -> None:
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", port, wsgi).serve_forever()


SERVERS: dict[str, Callable[[], Any]] = {
    "uvicorn": serve_uvicorn,
    "hypercorn": lambda: serve_hypercorn(asgi),
    "hypercorn.wsgi": lambda: serve_hypercorn(wsgi),
    "gunicorn": serve_gunicorn,
    "waitress": serve_waitress,
    "werkzeug": serve_werkzeug,
    "wsgiref": serve_wsgiref,
    "http.server": serve_http,
    "aiohttp.web": serve_aiohttp,
    "grpc": serve_grpc,
    "grpc.aio": lambda: asyncio.run(serve_grpc_aio()),
}
SERVERS[server]()
