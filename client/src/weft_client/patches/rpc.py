"""grpcio, with threads and with asyncio: interceptors in every server and channel that is made from now on."""

from __future__ import annotations

from collections import namedtuple
from types import ModuleType
from typing import Any

from weft_client.headers import added, take


def patch(module: ModuleType) -> None:
    """Patch ``grpc`` or ``grpc.aio``."""
    (_with_asyncio if module.__name__ == "grpc.aio" else _with_threads)(module)


def _with_threads(grpc: Any) -> None:
    server, insecure, secure = grpc.server, grpc.insecure_channel, grpc.secure_channel

    class Taking(grpc.ServerInterceptor):  # type: ignore[misc]
        def intercept_service(self, proceed: Any, details: Any) -> Any:
            return _taking(grpc, proceed(details), details)

    carrying = _carrying(
        (
            grpc.UnaryUnaryClientInterceptor,
            grpc.UnaryStreamClientInterceptor,
            grpc.StreamUnaryClientInterceptor,
            grpc.StreamStreamClientInterceptor,
        )
    )

    def serving(pool: Any, handlers: Any = None, interceptors: Any = None, **options: Any) -> Any:
        return server(pool, handlers, (Taking(), *(interceptors or ())), **options)

    def calling(*arguments: Any, **options: Any) -> Any:
        return grpc.intercept_channel(insecure(*arguments, **options), carrying())

    def calling_securely(*arguments: Any, **options: Any) -> Any:
        return grpc.intercept_channel(secure(*arguments, **options), carrying())

    grpc.server, grpc.insecure_channel, grpc.secure_channel = serving, calling, calling_securely


def _with_asyncio(aio: Any) -> None:
    server, insecure, secure = aio.server, aio.insecure_channel, aio.secure_channel

    class Taking(aio.ServerInterceptor):  # type: ignore[misc]
        async def intercept_service(self, proceed: Any, details: Any) -> Any:
            # The handler runs in the context of this very task.
            take(_pairs(details.invocation_metadata))
            return await proceed(details)

    kinds = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
    carrying = [_carrying((getattr(aio, f"{kind}ClientInterceptor"),), waits=True) for kind in kinds]

    def serving(pool: Any = None, handlers: Any = None, interceptors: Any = None, **options: Any) -> Any:
        return server(pool, handlers, (Taking(), *(interceptors or ())), **options)

    def calling(*arguments: Any, interceptors: Any = None, **options: Any) -> Any:
        return insecure(*arguments, interceptors=[*(interceptors or ()), *(one() for one in carrying)], **options)

    def calling_securely(*arguments: Any, interceptors: Any = None, **options: Any) -> Any:
        return secure(*arguments, interceptors=[*(interceptors or ()), *(one() for one in carrying)], **options)

    aio.server, aio.insecure_channel, aio.secure_channel = serving, calling, calling_securely


def _taking(grpc: Any, handler: Any, details: Any) -> Any:
    """A handler that remembers a call's headers in the thread that serves it."""
    if handler is None:
        return None
    pairs = _pairs(details.invocation_metadata)

    def wrapped(behaviour: Any) -> Any:
        def serve(request: Any, context: Any) -> Any:
            take(pairs)
            return behaviour(request, context)

        return serve

    made = {
        (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
        (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
        (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
        (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
    }
    make, behaviour = made[(bool(handler.request_streaming), bool(handler.response_streaming))]
    return make(
        wrapped(behaviour),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


_Details = namedtuple(
    "_Details", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression"), defaults=(None,)
)


def _carrying(bases: tuple[type, ...], *, waits: bool = False) -> type:
    """A class of interceptors that add the headers to a call."""

    def call(_: Any, proceed: Any, details: Any, request: Any) -> Any:
        return proceed(_filled(details), request)

    async def call_later(_: Any, proceed: Any, details: Any, request: Any) -> Any:
        return await proceed(_filled(details), request)

    names = [f"intercept_{first}_{second}" for first in ("unary", "stream") for second in ("unary", "stream")]
    return type("Carrying", bases, dict.fromkeys(names, call_later if waits else call))


def _filled(details: Any) -> Any:
    present = _pairs(details.metadata)
    more = added([name if isinstance(name, str) else name.decode() for name, _ in present])
    if not more:
        return details
    values = [getattr(details, name, None) for name in _Details._fields]
    return _Details(*values)._replace(metadata=(*present, *more))


def _pairs(metadata: Any) -> list[Any]:
    return [(name, value) for name, value in (metadata or ())]
