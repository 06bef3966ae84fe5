from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.examples.shop import Running, service

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def v1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service("reviews.py", tmp_path_factory.mktemp("v1"), RATINGS_URL=NOWHERE) as running:
        yield running


def test_v1_has_no_stars_and_does_not_need_the_ratings(client: httpx2.Client, v1: Running) -> None:
    answer = client.get(f"{v1.url}/reviews/1").json()
    assert answer["version"] == "v1"
    assert [set(review) for review in answer["reviews"]] == [{"reviewer", "text"}] * 3
    assert "ratings" not in answer


def test_v2_shows_the_stars_of_the_ratings_in_black_and_says_who_helped(
    tmp_path: Path, client: httpx2.Client, ratings: Running
) -> None:
    with service("reviews.py", tmp_path, VERSION="v2", INSTANCE="a", RATINGS_URL=ratings.url) as reviews:
        answer = client.get(f"{reviews.url}/reviews/1")
    given = client.get(f"{ratings.url}/ratings/1").json()["ratings"]
    assert answer.json()["colour"] == "black"
    assert {review["reviewer"]: review["stars"] for review in answer.json()["reviews"]} == given
    assert answer.headers["x-served-by"] == "reviews-v2-a"
    assert answer.headers["x-served-via"] == f"ratings-v1-{ratings.process.pid}"


def test_v2_does_without_ratings_while_they_do_not_answer(tmp_path: Path, client: httpx2.Client) -> None:
    with service("reviews.py", tmp_path, VERSION="v2", RATINGS_URL=NOWHERE) as reviews:
        answer = client.get(f"{reviews.url}/reviews/1")
        assert (answer.status_code, answer.json()["ratings"]) == (200, "unavailable")
    assert reviews.log.read_text().count("no ratings") == 1


def test_v3_shows_red_stars_and_fails_where_nobody_has_rated_until_somebody_does(
    tmp_path: Path, client: httpx2.Client, ratings: Running
) -> None:
    with service("reviews.py", tmp_path, VERSION="v3", RATINGS_URL=ratings.url) as reviews:
        assert client.get(f"{reviews.url}/reviews/1").json()["colour"] == "red"
        assert client.get(f"{reviews.url}/reviews/7").status_code == 500
        assert "defect path=" in reviews.log.read_text()
        new = {"reviewer": "Zoë", "text": "fine", "stars": 4}
        assert client.post(f"{reviews.url}/reviews/7", json=new).json()["average"] == 4
        assert client.get(f"{reviews.url}/reviews/7").json()["reviews"][-1] == new
    assert client.get(f"{ratings.url}/ratings/7").json()["ratings"] == {"Zoë": 4}


def test_a_review_or_a_rating_that_makes_no_sense_is_refused(
    client: httpx2.Client, v1: Running, ratings: Running
) -> None:
    for body in ("{", "[]", '{"reviewer": " ", "text": "x"}', '{"reviewer": "a", "text": "x", "stars": 6}'):
        assert client.post(f"{v1.url}/reviews/1", content=body).status_code == 400
    assert len(client.get(f"{v1.url}/reviews/1").json()["reviews"]) == 3
    assert client.get(f"{v1.url}/reviews/0").status_code == 404
    for body in ("{", "[]", '{"reviewer": "a", "stars": 0}', '{"reviewer": "a", "stars": "5"}'):
        assert client.post(f"{ratings.url}/ratings/1", content=body).status_code == 400
    assert client.get(f"{ratings.url}/ratings/1001").status_code == 404
