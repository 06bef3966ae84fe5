"""The reviews, in three versions (VERSION) that a canary can be shown with.

- v1 has the texts only and calls nobody.
- v2 asks the ratings service and shows black stars. It compares the texts on the way, which takes a while.
- v3 shows red stars and the average. It has a real defect: a product that nobody rated is a 500.

    GET  /reviews/7
    POST /reviews/7      {"reviewer": "Ada", "text": "...", "stars": 4}    (stars: v2 and v3)
"""

import asyncio
import json
import os
import random

import httpx2
from process import identity_of, log
from service import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

RATINGS_URL = os.environ.get("RATINGS_URL") or "http://ratings:9080"
WHO = identity_of("reviews")
COLOURS = {"v2": "black", "v3": "red"}
V2_SECONDS = 0.03  # what the comparison of v2 costs
PRODUCTS = 1000
REVIEWS_PER_PRODUCT = 100

REVIEWERS = ("Ada", "Ben", "Chloé", "Dmitri", "Esi", "Fumiko")
OPENINGS = ("Honestly,", "After three scarves:", "As a beginner I say", "For the price,", "My grandmother would say")
VERDICTS = (
    "the best that ever ran through my reed.",
    "it does what it should, no more and no less.",
    "a little uneven, but the colour makes up for it.",
    "I would buy it again tomorrow.",
    "it arrived quickly and smells of sheep.",
)

Reviews = list[dict[str, object]]
REVIEWS: dict[int, Reviews] = {}


def first_reviews(product: int) -> Reviews:
    """The same on every instance: seeded by the product. The reviewers are those who gave it stars."""
    chance = random.Random(product)
    names = chance.sample(REVIEWERS, k=3)
    return [{"reviewer": name, "text": f"{chance.choice(OPENINGS)} {chance.choice(VERDICTS)}"} for name in names]


def reviews_of(product: int) -> Reviews:
    return REVIEWS.setdefault(product, first_reviews(product))


async def stars_of(client: httpx2.AsyncClient, product: int) -> dict[str, int] | None:
    """The stars by reviewer, or None while the ratings service cannot say."""
    try:
        answer = await client.get(f"{RATINGS_URL}/ratings/{product}")
        answer.raise_for_status()
        ratings: dict[str, int] = answer.json()["ratings"]
    except (httpx2.HTTPError, ValueError, LookupError) as error:
        log(WHO, "no ratings", product=product, error=str(error) or type(error).__name__)
        return None
    return ratings


async def shown(client: httpx2.AsyncClient, product: int) -> dict[str, object]:
    """The reviews of a product as this version shows them."""
    page: dict[str, object] = {"product": product, "version": WHO.version, "reviews": reviews_of(product)}
    if WHO.version not in COLOURS:
        return page
    stars = await stars_of(client, product)
    if WHO.version == "v2":
        await asyncio.sleep(V2_SECONDS)
    if stars is None:
        return page | {"ratings": "unavailable"}
    if WHO.version == "v3":
        page["average"] = round(sum(stars.values()) / len(stars), 2)  # v3's defect: nobody may have rated it
    reviews = [review | {"stars": stars.get(str(review["reviewer"]))} for review in reviews_of(product)]
    return page | {"ratings": "available", "colour": COLOURS[WHO.version], "reviews": reviews}


def parse(body: bytes) -> tuple[str, str, int | None]:
    """Reviewer, text and stars (None if not given); ValueError that says what is wrong."""
    wanted = json.loads(body)
    match wanted:
        case {"reviewer": str(reviewer), "text": str(text)} if reviewer.strip() and text.strip():
            stars = wanted.get("stars")
            if stars is None or (type(stars) is int and 1 <= stars <= 5):
                return reviewer.strip()[:50], text.strip()[:1000], stars
    raise ValueError('expected {"reviewer": "<name>", "text": "<text>"} and perhaps "stars": <1 to 5>')


async def add(client: httpx2.AsyncClient, product: int, body: bytes) -> Response | None:
    """Keep a review, and hand its stars on to the ratings; the error to answer with, or None."""
    try:
        reviewer, text, stars = parse(body)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    known = reviews_of(product)
    if len(known) >= REVIEWS_PER_PRODUCT:
        return JSONResponse({"error": "this product has all the reviews it can have"}, 409)
    if stars is not None and WHO.version in COLOURS:
        try:
            wanted = {"reviewer": reviewer, "stars": stars}
            (await client.post(f"{RATINGS_URL}/ratings/{product}", json=wanted)).raise_for_status()
        except httpx2.HTTPError as error:
            return JSONResponse({"error": f"the ratings did not take the stars: {error}"}, 502)
    known.append({"reviewer": reviewer, "text": text})
    return None


async def reviews(request: Request) -> Response:
    product, client = request.path_params["id"], request.state.http
    if not 1 <= product <= PRODUCTS:
        return JSONResponse({"error": f"there is no product {product}"}, 404)
    if request.method == "POST":
        refusal = await add(client, product, await request.body())
        if refusal:
            return refusal
    return JSONResponse(await shown(client, product), 201 if request.method == "POST" else 200)


if __name__ == "__main__":
    serve(WHO, [Route("/reviews/{id:int}", reviews, methods=["GET", "POST"])])
