"""The services that the pages ask: JSON over HTTP, gRPC, and the ledger's lines. Each fails in one way, Unanswered."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio
import httpx2
import orders_pb2 as pb
import tracing
from google.protobuf.message import Message

CATALOG_URL = os.environ.get("CATALOG_URL") or "http://catalog:9080"
REVIEWS_URL = os.environ.get("REVIEWS_URL") or "http://reviews:9080"
ORDERS_ADDR = os.environ.get("ORDERS_ADDR") or "127.0.0.1:50051"
LEDGER_ADDR = os.environ.get("LEDGER_ADDR") or "127.0.0.1:7000"
LIMIT_SECONDS = 10
WATCH_SECONDS = 60
STATUS_OF = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Unanswered(Exception):
    """A service that a page cannot do without did not answer, or answered no."""

    def __init__(self, service: str, why: str, status: int = 502) -> None:
        super().__init__(f"{service}: {why}")
        self.status = status


async def ask(client: httpx2.AsyncClient, service: str, url: str, **query: str) -> Mapping[str, Any]:
    """The JSON at `url`; Unanswered, with the status for our own caller, if there is none."""
    try:
        answer = await client.get(url, params=query or None)
        if answer.is_success:
            body: Mapping[str, Any] = answer.json()
            return body
    except httpx2.TimeoutException:
        raise Unanswered(service, "it took too long", 504) from None
    except (httpx2.HTTPError, ValueError) as error:
        raise Unanswered(service, str(error) or type(error).__name__) from None
    status = answer.status_code if answer.status_code in (400, 404, 503, 504) else 502
    raise Unanswered(service, f"it answered {answer.status_code}", status)


class Orders:
    """The orders service, by its four method names; no generated stub."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        order = pb.Order.FromString
        self._place = channel.unary_unary("/shop.Orders/PlaceOrder", pb.PlaceOrderRequest.SerializeToString, order)
        self._get = channel.unary_unary("/shop.Orders/GetOrder", pb.GetOrderRequest.SerializeToString, order)
        self._watch = channel.unary_stream("/shop.Orders/Watch", pb.GetOrderRequest.SerializeToString, order)
        self._who_am_i = channel.unary_unary(
            "/shop.Orders/WhoAmI", pb.WhoAmIRequest.SerializeToString, pb.WhoAmIReply.FromString
        )

    async def place(self, wanted: pb.PlaceOrderRequest) -> pb.Order:
        order: pb.Order = await self._unary(self._place, wanted)
        return order

    async def get(self, order_id: str) -> pb.Order:
        order: pb.Order = await self._unary(self._get, pb.GetOrderRequest(order_id=order_id))
        return order

    async def who_am_i(self) -> pb.WhoAmIReply:
        reply: pb.WhoAmIReply = await self._unary(self._who_am_i, pb.WhoAmIRequest())
        return reply

    async def watch(self, order_id: str) -> AsyncIterator[pb.Order]:
        """The order after each change; what goes wrong on the way is the caller's to catch, an AioRpcError."""
        wanted = pb.GetOrderRequest(order_id=order_id)
        async for order in self._watch(wanted, timeout=WATCH_SECONDS, metadata=tuple(tracing.outgoing().items())):
            yield order

    @staticmethod
    async def _unary(method: grpc.aio.UnaryUnaryMultiCallable, wanted: Message) -> Any:
        call = method(wanted, timeout=LIMIT_SECONDS, metadata=tuple(tracing.outgoing().items()))
        try:
            reply = await call
            tracing.note_answer(dict(await call.initial_metadata() or ()))
        except grpc.aio.AioRpcError as error:
            status = STATUS_OF.get(error.code(), 502)
            raise Unanswered("orders", error.details() or error.code().name, status) from None
        return reply


async def ledger(*commands: str) -> list[str]:
    """One connection, one answer for each command; that of TAIL has several lines. Unanswered on ERR."""
    host, _, port = LEDGER_ADDR.rpartition(":")
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write("".join(f"{command}\n" for command in commands).encode())
                return [await _one_answer(reader, several=command.startswith("TAIL")) for command in commands]
            finally:
                writer.close()
    except TimeoutError:
        raise Unanswered("ledger", "it took too long", 504) from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Unanswered("ledger", str(error)) from None


async def _one_answer(reader: asyncio.StreamReader, several: bool) -> str:
    lines = [(await reader.readuntil()).decode().rstrip("\n")]
    while several and lines[-1] != "." and not lines[0].startswith("ERR"):
        lines.append((await reader.readuntil()).decode().rstrip("\n"))
    if lines[0].startswith("ERR"):
        raise Unanswered("ledger", lines[0])
    return "\n".join(lines[:-1] if several else lines)
