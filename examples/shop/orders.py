"""The orders: a gRPC service (orders.proto), with grpc.health.v1.Health beside it.

An order moves on by itself: placed, packed, shipped, delivered, STEP_MS (200) apart. Its status is worked
out from its age when somebody asks, so nothing runs in the background. Orders live in the memory of this
one instance, the newest ORDERS_KEPT of them.
"""

import asyncio
import os
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio
import orders_pb2 as pb
import tracing
from grpc.aio import ServicerContext
from process import DRAIN_SECONDS, Identity, address_of, bind, identity_of, log, stop_on_signals

STEP_SECONDS = int(os.environ.get("STEP_MS") or 200) / 1000
ORDERS_KEPT = 10_000
STATUSES = (pb.Order.PLACED, pb.Order.PACKED, pb.Order.SHIPPED, pb.Order.DELIVERED)

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"  # grpc.health.v1.HealthCheckResponse: field 1, the status
HEALTH_NAMES = (b"", b"\x0a\x0bshop.Orders")  # HealthCheckRequest: field 1, the service; or nothing, for all


class Orders:
    """The orders of this instance, and how each of them moves on."""

    def __init__(self) -> None:
        self._placed: OrderedDict[str, tuple[pb.Order, float]] = OrderedDict()
        self._by_key: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def place(self, wanted: pb.PlaceOrderRequest) -> pb.Order:
        """A new order; or the one that the same idempotency key placed before."""
        known = self._by_key.get(wanted.idempotency_key)
        if known:
            return self.get(known)
        order = pb.Order(
            order_id=uuid.uuid4().hex[:12],
            customer=wanted.customer,
            product_id=wanted.product_id,
            quantity=wanted.quantity,
            total_cents=wanted.quantity * wanted.unit_price_cents,
        )
        self._placed[order.order_id] = (order, time.monotonic())
        if wanted.idempotency_key:
            self._by_key[wanted.idempotency_key] = order.order_id
            self._keys[order.order_id] = wanted.idempotency_key
        if len(self._placed) > ORDERS_KEPT:
            oldest, _ = self._placed.popitem(last=False)
            self._by_key.pop(self._keys.pop(oldest, ""), None)
        return self.get(order.order_id)

    def get(self, order_id: str) -> pb.Order:
        """The order as it is now; KeyError if there is none."""
        order, placed = self._placed[order_id]
        now = pb.Order()
        now.CopyFrom(order)
        steps = int((time.monotonic() - placed) / STEP_SECONDS)
        now.status = STATUSES[min(steps, len(STATUSES) - 1)]
        return now

    def next_change(self, order_id: str) -> float:
        """Seconds until the order moves on; KeyError if there is none."""
        age = time.monotonic() - self._placed[order_id][1]
        return STEP_SECONDS - age % STEP_SECONDS


def fault_in(wanted: pb.PlaceOrderRequest) -> str | None:
    if not wanted.customer or len(wanted.customer) > 100:
        return "customer must have 1 to 100 characters"
    if wanted.product_id < 1:
        return "product_id must be 1 or more"
    if not 1 <= wanted.quantity <= 1000:
        return "quantity must be from 1 to 1000"
    if not 0 <= wanted.unit_price_cents <= 10_000_000:
        return "unit_price_cents must be from 0 to 10000000"
    return None


class Servicer:
    """The four methods. Every answer names the instance and hands the request id back, as metadata."""

    def __init__(self, who: Identity) -> None:
        self.who, self.orders = who, Orders()

    async def _begin(self, context: ServicerContext) -> dict[str, str]:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        tracing.begin(metadata)
        await context.send_initial_metadata((("x-served-by", str(self.who)), ("x-request-id", tracing.request_id())))
        return metadata

    async def place_order(self, request: pb.PlaceOrderRequest, context: ServicerContext) -> pb.Order:
        await self._begin(context)
        fault = fault_in(request)
        if fault:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, fault)
        return self.orders.place(request)

    async def get_order(self, request: pb.GetOrderRequest, context: ServicerContext) -> pb.Order:
        await self._begin(context)
        return await self._order(request, context)

    async def watch(self, request: pb.GetOrderRequest, context: ServicerContext) -> AsyncIterator[pb.Order]:
        await self._begin(context)
        order = await self._order(request, context)
        yield order
        while order.status != pb.Order.DELIVERED:
            await asyncio.sleep(self.orders.next_change(request.order_id))
            latest = await self._order(request, context)
            if latest.status != order.status:
                yield latest
            order = latest

    async def _order(self, request: pb.GetOrderRequest, context: ServicerContext) -> pb.Order:
        try:
            return self.orders.get(request.order_id)
        except KeyError:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no order {request.order_id!r}")
            raise  # never reached: abort raises

    async def who_am_i(self, request: pb.WhoAmIRequest, context: ServicerContext) -> pb.WhoAmIReply:
        metadata = await self._begin(context)
        who = self.who
        return pb.WhoAmIReply(service=who.service, version=who.version, instance=who.instance, metadata=metadata)

    def handler(self) -> grpc.GenericRpcHandler:
        unary, stream, reply = (
            grpc.unary_unary_rpc_method_handler,
            grpc.unary_stream_rpc_method_handler,
            pb.Order.SerializeToString,
        )
        methods = {
            "PlaceOrder": unary(self.place_order, pb.PlaceOrderRequest.FromString, reply),
            "GetOrder": unary(self.get_order, pb.GetOrderRequest.FromString, reply),
            "Watch": stream(self.watch, pb.GetOrderRequest.FromString, reply),
            "WhoAmI": unary(self.who_am_i, pb.WhoAmIRequest.FromString, pb.WhoAmIReply.SerializeToString),
        }
        return grpc.method_handlers_generic_handler("shop.Orders", methods)


class Health:
    """grpc.health.v1.Health/Check, its two tiny messages written by hand: they need no dependency."""

    def __init__(self) -> None:
        self.serving = True

    async def check(self, request: bytes, context: ServicerContext) -> bytes:
        if request not in HEALTH_NAMES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service here")
        return SERVING if self.serving else NOT_SERVING

    def handler(self) -> grpc.GenericRpcHandler:
        methods = {"Check": grpc.unary_unary_rpc_method_handler(self.check)}
        return grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)


async def run(who: Identity, handlers: Sequence[grpc.GenericRpcHandler], health: Health, address: str) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping.set)
    # Without SO_REUSEPORT, which gRPC sets by itself: a second instance there is an error, not a surprise.
    server = grpc.aio.server(handlers=(*handlers, health.handler()), options=(("grpc.so_reuseport", 0),))
    port = server.add_insecure_port(address)
    await server.start()
    log(who, "listening", address=f"{address.rpartition(':')[0]}:{port}")
    await stopping.wait()
    health.serving = False
    await server.stop(DRAIN_SECONDS)
    log(who, "stopped")


def main() -> None:
    who = identity_of("orders")
    with bind(50051) as free:  # a clear error where the port is taken; gRPC then binds it itself
        address = address_of(free)
    asyncio.run(run(who, [Servicer(who).handler()], Health(), address))


if __name__ == "__main__":
    main()
