"""The shop's pages. It knows nothing itself: it asks the catalog, the reviews, the orders and the ledger.

    GET  /?q=wool&page=2           GET /orders/{id}           GET /books
    GET  /products/{id}            GET /orders/{id}/events    the status as server-sent events
    POST /products/{id}/buy        customer=Ada&quantity=2    answers 303 to the order
    GET  /neighbours               how each neighbour sees us: its /whoami, as JSON

A page stands without its reviews (and says so in `x-degraded`), but not without its product.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import grpc
import grpc.aio
import httpx2
import orders_pb2 as pb
import pages
import tracing
from neighbours import CATALOG_URL, ORDERS_ADDR, REVIEWS_URL, Orders, Unanswered, ask, ledger
from process import identity_of, log
from service import serve
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

WHO = identity_of("web")


def html(title: str, body: str, status: int = 200, degraded: str = "") -> Response:
    headers = {"x-degraded": degraded} if degraded else None
    return HTMLResponse(pages.page(title, body, str(WHO)), status, headers)


async def home(request: Request) -> Response:
    query, number = request.query_params.get("q", ""), request.query_params.get("page", "1")
    found = await ask(request.state.http, "catalog", f"{CATALOG_URL}/products", q=query, page=number)
    return html("Everything for weavers", pages.shelf(query, found))


async def reviews_part(client: httpx2.AsyncClient, number: int) -> tuple[str, str]:
    """The reviews as a part of a page, and what of it is missing (empty if nothing is)."""
    try:
        answer = await ask(client, "reviews", f"{REVIEWS_URL}/reviews/{number}")
    except Unanswered as error:
        log(WHO, "degraded", product=number, error=str(error))
        return pages.missing("The reviews", str(error)), "reviews"
    return pages.reviews(answer), "ratings" if answer.get("ratings") == "unavailable" else ""


async def product(request: Request) -> Response:
    number, client = request.path_params["id"], request.state.http
    details, (below, degraded) = await asyncio.gather(
        ask(client, "catalog", f"{CATALOG_URL}/products/{number}"), reviews_part(client, number)
    )
    return html(details["name"], pages.details(details) + below, 200, degraded)


async def buy(request: Request) -> Response:
    """Place the order, then book it. Both carry the request id: a retry buys and books only once."""
    form = parse_qs((await request.body()).decode(errors="replace"))
    quantity = form.get("quantity", ["1"])[0]
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 7):
        raise Unanswered("orders", "the quantity must be a whole number", 400)
    item = await ask(request.state.http, "catalog", f"{CATALOG_URL}/products/{request.path_params['id']}")
    key = tracing.request_id()
    wanted = pb.PlaceOrderRequest(
        customer=form.get("customer", ["Ada"])[0],
        product_id=item["id"],
        quantity=int(quantity),
        unit_price_cents=item["price_cents"],
        idempotency_key=key,
    )
    order = await request.state.orders.place(wanted)
    await ledger(f"APPEND {key} receivables sales {order.total_cents} order {order.order_id}")
    return RedirectResponse(f"/orders/{order.order_id}", 303)


async def order(request: Request) -> Response:
    now = await request.state.orders.get(request.path_params["id"])
    status = pb.Order.Status.Name(now.status).lower()
    lines = [("customer", now.customer), ("quantity", str(now.quantity)), ("total", pages.money(now.total_cents))]
    return html(f"Order {now.order_id}", pages.order(now.order_id, [*lines, ("status", status)]))


async def events(request: Request) -> Response:
    async def stream() -> AsyncIterator[str]:
        try:
            async for now in request.state.orders.watch(request.path_params["id"]):
                yield f"data: {pb.Order.Status.Name(now.status).lower()}\n\n"
        except grpc.aio.AioRpcError as error:
            yield f"event: end\ndata: {error.code().name.lower()}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def books(request: Request) -> Response:
    accounts = ("receivables", "sales")
    *sums, latest = await ledger(*(f"SUM {name}" for name in accounts), "TAIL 20")
    amounts = [(name, int(line.removeprefix("OK "))) for name, line in zip(accounts, sums, strict=True)]
    return html("The books", pages.books(amounts, latest.splitlines()))


async def neighbours(request: Request) -> Response:
    client = request.state.http
    catalog, reviews, orders, line = await asyncio.gather(
        ask(client, "catalog", f"{CATALOG_URL}/whoami"),
        ask(client, "reviews", f"{REVIEWS_URL}/whoami"),
        request.state.orders.who_am_i(),
        ledger("PING"),
    )
    name = {"service": orders.service, "version": orders.version, "instance": orders.instance}
    seen = {"catalog": catalog, "reviews": reviews, "orders": name | {"headers": dict(orders.metadata)}}
    return JSONResponse(seen | {"ledger": {"answer": line[0]}})


def answered(page: Any) -> Any:
    """The page, or the reason why there is none, as a page too."""

    async def guarded(request: Request) -> Response:
        try:
            response: Response = await page(request)
        except Unanswered as error:
            log(WHO, "unanswered", path=request.url.path, error=str(error))
            return html("Sorry", pages.missing("This page", str(error)), error.status)
        return response

    return guarded


@asynccontextmanager
async def orders() -> AsyncIterator[Mapping[str, object]]:
    # gRPC would obey a http_proxy of the environment even for an address of this very host.
    async with grpc.aio.insecure_channel(ORDERS_ADDR, options=(("grpc.enable_http_proxy", 0),)) as channel:
        yield {"orders": Orders(channel)}


ROUTES = [
    Route("/", answered(home)),
    Route("/products/{id:int}", answered(product)),
    Route("/products/{id:int}/buy", answered(buy), methods=["POST"]),
    Route("/orders/{id}", answered(order)),
    Route("/orders/{id}/events", events),
    Route("/books", answered(books)),
    Route("/neighbours", answered(neighbours)),
]

if __name__ == "__main__":
    serve(WHO, ROUTES, orders)
