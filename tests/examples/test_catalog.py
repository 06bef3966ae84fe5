import httpx2
import pytest

from tests.examples.shop import Running

pytestmark = pytest.mark.slow


def test_a_search_finds_by_the_beginnings_of_all_words_and_the_best_match_comes_first(
    catalog: Running, client: httpx2.Client
) -> None:
    found = client.get(f"{catalog.url}/products", params={"q": "wool WEF"}).json()
    names = [item["name"] for item in found["products"]]
    assert names == ["Merino wool weft yarn", "Shetland wool weft yarn"]
    looms = client.get(f"{catalog.url}/products", params={"q": "loom"}).json()["products"]
    assert [item["name"] for item in looms] == ["Table loom", "Rigid heddle loom"]


def test_a_word_in_the_name_counts_more_than_one_in_the_text(catalog: Running, client: httpx2.Client) -> None:
    found = client.get(f"{catalog.url}/products", params={"q": "warp", "size": "100"}).json()["products"]
    in_name = ["warp" in item["name"].lower() for item in found]
    assert in_name == sorted(in_name, reverse=True)
    assert not all(in_name)


def test_following_the_links_shows_every_product_once(catalog: Running, client: httpx2.Client) -> None:
    seen: list[int] = []
    url = f"{catalog.url}/products?size=10"
    while url:
        answer = client.get(url)
        seen += [item["id"] for item in answer.json()["products"]]
        url = str(httpx2.URL(catalog.url).join(answer.links["next"]["url"])) if "next" in answer.links else ""
    assert seen == list(range(1, answer.json()["total"] + 1))
    assert len(seen) > 40


@pytest.mark.parametrize("query", ["page=0", "page=x", "size=101", "size=-1", "page=٣"])
def test_a_page_that_cannot_be_is_refused_with_the_reason(catalog: Running, client: httpx2.Client, query: str) -> None:
    answer = client.get(f"{catalog.url}/products?{query}")
    assert answer.status_code == 400
    assert "must be a whole number from 1 to" in answer.json()["error"]


def test_a_product_that_is_not_sold_is_not_found(catalog: Running, client: httpx2.Client) -> None:
    assert client.get(f"{catalog.url}/products/1").json()["name"] == "Merino wool fine warp yarn"
    assert client.get(f"{catalog.url}/products/9999").status_code == 404
