import importlib.util
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import grpc
import pytest

from tests.examples.shop import SHOP, Running

pytestmark = pytest.mark.slow

SERVING = b"\x08\x01"


def _messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("orders_pb2", SHOP / "orders_pb2.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pb: Any = _messages()


@pytest.fixture
def channel(orders: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(orders.address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        yield channel


def call(channel: grpc.Channel, method: str, request: Any, reply: Any, **more: Any) -> Any:
    method_of = channel.unary_unary(f"/shop.Orders/{method}", type(request).SerializeToString, reply.FromString)
    return method_of.with_call(request, timeout=20, **more)


def place(channel: grpc.Channel, **values: Any) -> Any:
    wanted = {"customer": "Ada", "product_id": 3, "quantity": 2, "unit_price_cents": 995} | values
    return call(channel, "PlaceOrder", pb.PlaceOrderRequest(**wanted), pb.Order)[0]


def get(channel: grpc.Channel, order_id: str) -> Any:
    return call(channel, "GetOrder", pb.GetOrderRequest(order_id=order_id), pb.Order)[0]


def test_a_placed_order_has_its_total_and_can_be_got(channel: grpc.Channel) -> None:
    order = place(channel)
    assert (order.total_cents, order.status) == (1990, pb.Order.PLACED)
    again = get(channel, order.order_id)
    assert (again.order_id, again.customer, again.quantity) == (order.order_id, "Ada", 2)


def test_a_repeated_key_places_one_order_and_no_key_places_another(channel: grpc.Channel) -> None:
    first, second = (place(channel, idempotency_key="key-1").order_id for _ in range(2))
    assert first == second
    assert place(channel).order_id != place(channel).order_id


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"quantity": 0}, "quantity must be from 1 to 1000"),
        ({"quantity": 1001}, "quantity must be from 1 to 1000"),
        ({"customer": ""}, "customer must have 1 to 100 characters"),
        ({"product_id": -1}, "product_id must be 1 or more"),
        ({"unit_price_cents": -5}, "unit_price_cents must be from 0 to 10000000"),
    ],
)
def test_an_order_that_makes_no_sense_is_an_invalid_argument(
    channel: grpc.Channel, values: dict[str, Any], fault: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        place(channel, **values)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == fault


def test_watching_shows_each_status_once_until_the_order_is_delivered(channel: grpc.Channel) -> None:
    """Those that it still has: a status lasts as long as it lasts, however late somebody watches."""
    began = time.monotonic()
    order = place(channel)
    request = pb.GetOrderRequest(order_id=order.order_id)
    watch = channel.unary_stream("/shop.Orders/Watch", pb.GetOrderRequest.SerializeToString, pb.Order.FromString)
    statuses = [now.status for now in watch(request, timeout=20)]
    assert statuses == sorted(set(statuses))
    assert (order.status, statuses[-1]) == (pb.Order.PLACED, pb.Order.DELIVERED)
    assert time.monotonic() - began >= 0.15  # three steps of 50 ms
    assert get(channel, order.order_id).status == pb.Order.DELIVERED


def test_an_order_that_nobody_placed_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        get(channel, "nope")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_who_am_i_shows_the_metadata_and_every_answer_names_the_instance(channel: grpc.Channel) -> None:
    metadata = (("x-forwarded-client-cert", "URI=spiffe://mesh/ns/shop/sa/web"), ("x-request-id", "r-9"))
    who, answered = call(channel, "WhoAmI", pb.WhoAmIRequest(), pb.WhoAmIReply, metadata=metadata)
    assert (who.service, who.version, who.instance) == ("orders", "v7", "one")
    assert who.metadata["x-forwarded-client-cert"] == "URI=spiffe://mesh/ns/shop/sa/web"
    initial = dict(answered.initial_metadata())
    assert (initial["x-served-by"], initial["x-request-id"]) == ("orders-v7-one", "r-9")


def test_health_is_serving_for_the_server_and_the_service_and_unknown_for_others(channel: grpc.Channel) -> None:
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=20) == SERVING
    assert check(b"\x0a\x0bshop.Orders", timeout=20) == SERVING
    with pytest.raises(grpc.RpcError) as refused:
        check(b"\x0a\x05other", timeout=20)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
