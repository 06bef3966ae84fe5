"""The catalog: what the shop sells, as JSON over HTTP, with search and paging.

GET /products?q=wool+fine&page=1&size=10     best match first, or by id without q
GET /products/7
"""

import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import product as pairs

from process import identity_of
from service import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FIBRES = {
    "merino wool": (620, "soft and springy, from the high plains"),
    "shetland wool": (480, "rustic, warm, full of character"),
    "linen": (540, "crisp and strong, better with every wash"),
    "cotton": (310, "even and easy, the beginner's friend"),
    "mulberry silk": (1480, "long fibres with a deep shine"),
    "hemp": (450, "tough, dry in the hand, made to last"),
    "alpaca": (890, "light, fine and very warm"),
    "ramie": (520, "stiff and bright, like cool glass"),
}
FORMS = {
    "fine warp yarn": (1.6, "tightly spun, 2,000 m on the cone"),
    "weft yarn": (1.0, "loosely spun, 600 m on the cone"),
    "bouclé": (1.9, "looped, for cushions and coats"),
    "roving": (0.7, "unspun, for thick rugs and tapestries"),
    "sample card": (0.4, "twelve colours to choose from at home"),
}
TOOLS = {
    "table loom": (34900, "eight shafts, 60 cm wide, folds flat"),
    "rigid heddle loom": (18900, "50 cm wide, ready to warp in an hour"),
    "boat shuttle": (2850, "cherry wood, waxed by hand"),
    "bobbin winder": (7400, "clamps to any table"),
    "tapestry beater": (3900, "maple with steel teeth"),
    "warping board": (6900, "up to 12 m of warp"),
    "reed hook": (1250, "brass, thin as a card"),
}


@dataclass(frozen=True, kw_only=True)
class Product:
    id: int
    name: str
    description: str
    price_cents: int


def assortment() -> tuple[Product, ...]:
    """Every fibre in every form, then the tools; ids count from 1."""
    rows = [
        (f"{fibre} {form}", f"{quality}; {make}", round(price * factor))
        for (fibre, (price, quality)), (form, (factor, make)) in pairs(FIBRES.items(), FORMS.items())
    ]
    rows += [(name, text, price) for name, (price, text) in TOOLS.items()]
    return tuple(
        Product(id=number, name=name[0].upper() + name[1:], description=text, price_cents=price)
        for number, (name, text, price) in enumerate(rows, start=1)
    )


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class Index:
    """Finds products by the beginnings of words. A word in the name counts four times one in the text."""

    def __init__(self, products: tuple[Product, ...]) -> None:
        self._products = products
        self._weights: dict[str, dict[Product, int]] = defaultdict(dict)
        for item in products:
            for text, weight in ((item.description, 1), (item.name, 4)):
                for word in words(text):
                    self._weights[word][item] = max(weight, self._weights[word].get(item, 0))

    def _matches(self, start: str) -> dict[Product, int]:
        found: dict[Product, int] = {}
        for word, weights in self._weights.items():
            if word.startswith(start):
                for item, weight in weights.items():
                    found[item] = max(found.get(item, 0), weight + (word == start))
        return found

    def search(self, query: str) -> list[Product]:
        """The products that match every word of the query, best first; all of them for an empty one."""
        matches = [self._matches(word) for word in words(query)]
        if not matches:
            return [] if query.strip() else list(self._products)
        everywhere = set(matches[0]).intersection(*matches[1:])
        return sorted(everywhere, key=lambda item: (-sum(match[item] for match in matches), item.id))


PRODUCTS = assortment()
INDEX = Index(PRODUCTS)


def number_of(request: Request, name: str, default: int, highest: int) -> int:
    """A whole number from the query string, from 1 to `highest`; ValueError that says so otherwise."""
    text = request.query_params.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= highest:
        raise ValueError(f"{name} must be a whole number from 1 to {highest}")
    return int(text)


async def search(request: Request) -> Response:
    try:
        page = number_of(request, "page", default=1, highest=100_000)
        size = number_of(request, "size", default=12, highest=100)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    found = INDEX.search(request.query_params.get("q", "")[:200])
    pages = max(1, -(-len(found) // size))
    links = [
        f'<{request.url.path}?{request.url.include_query_params(page=number).query}>; rel="{name}"'
        for name, number in (("prev", page - 1), ("next", page + 1))
        if 1 <= number <= pages
    ]
    shown = [asdict(item) for item in found[(page - 1) * size : page * size]]
    body = {"total": len(found), "page": page, "pages": pages, "products": shown}
    return JSONResponse(body, headers={"link": ", ".join(links)} if links else None)


async def one(request: Request) -> Response:
    number = request.path_params["id"]
    if not 1 <= number <= len(PRODUCTS):
        return JSONResponse({"error": f"there is no product {number}"}, 404)
    return JSONResponse(asdict(PRODUCTS[number - 1]))


if __name__ == "__main__":
    serve(identity_of("catalog"), [Route("/products", search), Route("/products/{id:int}", one)])
