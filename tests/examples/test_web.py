"""The whole shop without a mesh: every page, and what a page does when a service is missing."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest

from tests.examples.shop import Running, service, tell_ledger

pytestmark = pytest.mark.slow

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True, kw_only=True)
class Shop:
    web: Running
    reviews: Running
    ledger: Running


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, catalog: Running, ratings: Running, orders: Running
) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    with ExitStack() as started:
        ledger = started.enter_context(service("ledger.py", folder))
        reviews = started.enter_context(service("reviews.py", folder, VERSION="v2", RATINGS_URL=ratings.url))
        others = {"CATALOG_URL": catalog.url, "REVIEWS_URL": reviews.url}
        more = {"ORDERS_ADDR": orders.address, "LEDGER_ADDR": ledger.address}
        web = started.enter_context(service("web.py", folder, **others, **more))
        yield Shop(web=web, reviews=reviews, ledger=ledger)


def test_a_product_page_is_made_by_all_services_it_needs_and_names_them(shop: Shop, client: httpx2.Client) -> None:
    answer = client.get(f"{shop.web.url}/products/1")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for part in ("<h1>Merino wool fine warp yarn</h1>", "€9.92", "<ul data-version=v2>", "<span class=black>★"):
        assert part in answer.text
    via = {name.rpartition("-")[0] for name in answer.headers["x-served-via"].split(", ")}
    assert via == {"catalog-v1", "reviews-v2", "ratings-v1"}


def test_the_home_page_searches_pages_and_escapes_what_was_asked(shop: Shop, client: httpx2.Client) -> None:
    assert "47 products, page 2 of 4" in client.get(f"{shop.web.url}/", params={"page": "2"}).text
    answer = client.get(f"{shop.web.url}/", params={"q": "<script>'\"wool"})
    assert "<script>" not in answer.text
    assert "&lt;script&gt;&#x27;&quot;wool" in answer.text


async def buy(shop: Shop, client: httpx2.Client, request_id: str) -> httpx2.Response:
    form = {"customer": "Bo", "quantity": "2"}
    return client.post(f"{shop.web.url}/products/1/buy", data=form, headers={"x-request-id": request_id})


@pytest.mark.asyncio
async def test_a_purchase_sent_twice_is_ordered_and_booked_once(shop: Shop, client: httpx2.Client) -> None:
    first, second = await buy(shop, client, "buy-1"), await buy(shop, client, "buy-1")
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    page = client.get(f"{shop.web.url}{first.headers['location']}").text
    assert "<td id=customer>Bo" in page
    assert "€19.84" in page
    booked = [line for line in await tell_ledger(shop.ledger.address, "TAIL 100") if " buy-1 " in line]
    assert len(booked) == 1
    books = client.get(f"{shop.web.url}/books").text
    assert "<tr><td>sales<td class=n>-€19.84" in books
    assert "buy-1 receivables sales 1984 order" in books


@pytest.mark.asyncio
async def test_the_status_of_an_order_arrives_as_events(shop: Shop, client: httpx2.Client) -> None:
    location = (await buy(shop, client, "buy-2")).headers["location"]
    answer = client.get(f"{shop.web.url}{location}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: shipped\n\ndata: delivered\n\n")
    assert "not_found" in client.get(f"{shop.web.url}/orders/nope/events").text


def test_the_trace_reaches_every_neighbour(shop: Shop, client: httpx2.Client) -> None:
    carried = {"traceparent": TRACE, "x-request-id": "n-1", "baggage": "a=b", "end-user": "ada"}
    seen = client.get(f"{shop.web.url}/neighbours", headers=carried).json()
    assert seen["ledger"]["answer"] == f"PONG ledger-v1-{shop.ledger.process.pid}"
    for name in ("catalog", "reviews", "orders"):
        assert seen[name]["service"] == name
        assert seen[name]["headers"].items() >= carried.items()


def test_a_page_stands_without_its_reviews_and_says_so(shop: Shop, client: httpx2.Client) -> None:
    client.post(f"{shop.reviews.url}/knobs", json={"fail_next": 1})
    answer = client.get(f"{shop.web.url}/products/1")
    assert (answer.status_code, answer.headers["x-degraded"]) == (200, "reviews")
    assert "The reviews cannot be shown right now: reviews: it answered 503." in answer.text
    assert "x-degraded" not in client.get(f"{shop.web.url}/products/1").headers


def test_a_page_does_not_stand_without_its_product(shop: Shop, client: httpx2.Client, catalog: Running) -> None:
    assert client.get(f"{shop.web.url}/products/9999").status_code == 404
    client.post(f"{catalog.url}/knobs", json={"fail_next": 1})
    assert client.get(f"{shop.web.url}/products/1").status_code == 503


@pytest.mark.parametrize("quantity", ["0", "-1", "x", "²", "1001", "9" * 40])
def test_a_quantity_that_makes_no_sense_is_refused(shop: Shop, client: httpx2.Client, quantity: str) -> None:
    answer = client.post(f"{shop.web.url}/products/1/buy", data={"quantity": quantity})
    assert answer.status_code == 400
    assert "quantity must be" in answer.text
