"""The shop's HTML. Whatever comes from elsewhere goes through `escape` before it is put into a page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

Json = Mapping[str, Any]
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
a { color: #14532d } nav a { margin-right: 1rem } table { border-collapse: collapse; width: 100% }
td, th { padding: .3rem .5rem; border-bottom: 1px solid #ddd; text-align: left } .n { text-align: right }
.red { color: #b91c1c } .black { color: #111 } .missing { background: #fef3c7; padding: .5rem } footer { color: #777 }
"""


def money(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}€{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def page(title: str, body: str, served_by: str) -> str:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
        f"<nav><a href=/>Looms &amp; yarns</a><a href=/books>The books</a></nav><h1>{escape(title)}</h1>{body}"
        f"<footer><p><small>served by {escape(served_by)}</small></footer></html>"
    )


def missing(what: str, why: str) -> str:
    """In place of a part of a page whose service did not answer: the rest of the page still stands."""
    return f"<p class=missing>{escape(what)} cannot be shown right now: {escape(why)}.</p>"


def shelf(query: str, found: Json) -> str:
    """The search box, one page of products, and the way to the pages around it."""
    rows = "".join(
        f"<tr><td><a href=/products/{int(item['id'])}>{escape(item['name'])}</a><td>{escape(item['description'])}"
        f"<td class=n>{money(item['price_cents'])}"
        for item in found["products"]
    )
    number, pages = int(found["page"]), int(found["pages"])
    links = "".join(
        f"<a href='/?{escape(urlencode({'q': query, 'page': to}))}'>{text}</a> "
        for text, to in (("earlier", number - 1), ("more", number + 1))
        if 1 <= to <= pages
    )
    return (
        f"<form><input name=q value='{escape(query)}' aria-label=search> <button>Search</button></form>"
        f"<p>{int(found['total'])} products, page {number} of {pages}</p><table>{rows}</table><nav>{links}</nav>"
    )


def details(product: Json) -> str:
    return (
        f"<p>{escape(product['description'])}<p><strong>{money(product['price_cents'])}</strong>"
        f"<form method=post action=/products/{int(product['id'])}/buy><input name=quantity type=number value=1 min=1"
        " max=1000 aria-label=quantity> <input name=customer value=Ada aria-label=name> <button>Buy</button></form>"
    )


def reviews(answer: Json) -> str:
    """The reviews as their version wants them: without stars, with black ones, or with red ones."""
    colour = answer.get("colour")
    rows = "".join(
        f"<li><b>{escape(review['reviewer'])}</b> {stars(review.get('stars'), colour)} {escape(review['text'])}"
        for review in answer["reviews"]
    )
    note = missing("The stars", "the ratings do not answer") if answer.get("ratings") == "unavailable" else ""
    average = f"<p>{float(answer['average'])} stars on average" if "average" in answer else ""
    return f"<h2>Reviews</h2>{average}{note}<ul data-version={escape(answer['version'])}>{rows}</ul>"


def stars(count: int | None, colour: str | None) -> str:
    if count is None or colour not in ("red", "black"):
        return ""
    return f"<span class={colour}>{'★' * count}{'☆' * (5 - count)}</span>"


def order(order_id: str, lines: Iterable[tuple[str, str]]) -> str:
    """An order, whose status the browser keeps up to date from the stream of the orders service."""
    rows = "".join(f"<tr><th>{escape(name)}<td id={escape(name)}>{escape(value)}" for name, value in lines)
    script = (
        f"<script>const s = new EventSource('/orders/{escape(order_id)}/events');"
        "s.onmessage = e => { document.getElementById('status').textContent = e.data };"
        "s.onerror = () => s.close()</script>"
    )
    return f"<table>{rows}</table>{script}"


def books(sums: Sequence[tuple[str, int]], entries: Sequence[str]) -> str:
    """The accounts with what they add up to, and the latest entries as the ledger wrote them."""
    rows = "".join(f"<tr><td>{escape(name)}<td class=n>{money(cents)}" for name, cents in sums)
    lines = escape("\n".join(entries))
    return f"<table>{rows}</table><h2>Latest entries</h2><pre>{lines}</pre>"
