"""The ratings: who gave a product how many stars. Kept in memory, as long as this instance lives.

GET  /ratings/7      {"product": 7, "ratings": {"Ada": 5, ...}}
POST /ratings/7      {"reviewer": "Ada", "stars": 4}
"""

import json
import random

from process import identity_of
from service import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REVIEWERS = ("Ada", "Ben", "Chloé", "Dmitri", "Esi", "Fumiko")
PRODUCTS = 1000
RATINGS_PER_PRODUCT = 1000


def first_ratings(product: int) -> dict[str, int]:
    """The same on every instance: seeded by the product. Every seventh product has none yet."""
    if product % 7 == 0:
        return {}
    chance = random.Random(product)
    return {name: chance.randint(2, 5) for name in chance.sample(REVIEWERS, k=3)}


RATINGS: dict[int, dict[str, int]] = {}


def ratings_of(product: int) -> dict[str, int]:
    return RATINGS.setdefault(product, first_ratings(product))


def parse(body: bytes) -> tuple[str, int]:
    """The reviewer and the stars; ValueError that says what is wrong."""
    wanted = json.loads(body)
    match wanted:
        case {"reviewer": str(reviewer), "stars": 1 | 2 | 3 | 4 | 5 as stars} if reviewer.strip():
            return reviewer.strip()[:50], int(stars)
    raise ValueError('expected {"reviewer": "<name>", "stars": <1 to 5>}')


async def ratings(request: Request) -> Response:
    product = request.path_params["id"]
    if not 1 <= product <= PRODUCTS:
        return JSONResponse({"error": f"there is no product {product}"}, 404)
    given = ratings_of(product)
    if request.method == "POST":
        try:
            reviewer, stars = parse(await request.body())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        if reviewer not in given and len(given) >= RATINGS_PER_PRODUCT:
            return JSONResponse({"error": "this product has all the ratings it can have"}, 409)
        given[reviewer] = stars
    return JSONResponse({"product": product, "ratings": given})


if __name__ == "__main__":
    serve(identity_of("ratings"), [Route("/ratings/{id:int}", ratings, methods=["GET", "POST"])])
