"""The service's transport: one method on the gRPC server that proxies already have a connection to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from weft.kit.errors import PeerError
from weft.limits.counting import Unavailable
from weft.limits.service import Denied, LimitService
from weft.model.identity import Identity

_METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
Authenticated = Callable[[Mapping[str, Sequence[bytes]]], Identity]


class LimitHandler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method. ``identify`` reads a caller's identity from gRPC's authentication context."""

    def __init__(self, service: LimitService, identify: Authenticated) -> None:
        self._service = service
        self._identify = identify
        self._handler = grpc.unary_unary_rpc_method_handler(self._answer)

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or ``None``."""
        return self._handler if handler_call_details.method == _METHOD else None

    async def _answer(self, request: bytes, call: Any) -> bytes:
        try:
            return await self._service.answer(self._identify(call.auth_context()), request)
        except Unavailable as away:
            return await _refuse(call, grpc.StatusCode.UNAVAILABLE, away)
        except Denied as denied:
            return await _refuse(call, grpc.StatusCode.PERMISSION_DENIED, denied)
        except PeerError as wrong:
            return await _refuse(call, grpc.StatusCode.INVALID_ARGUMENT, wrong)


async def _refuse(call: Any, code: grpc.StatusCode, why: Exception) -> bytes:
    await call.abort(code, str(why))
    return b""
