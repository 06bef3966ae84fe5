"""What can be asked of live requests, and what is refused."""

import pytest
from starlette.datastructures import QueryParams

from weft.api.errors import ApiError
from weft.api.tap_question import question_of
from weft.api.weft_tap import asks_of
from weft.kit.redaction import Redactor
from weft.model.tap import Looking, Showing, Side, Target

REDACTOR = Redactor()


def test_all_that_can_be_asked_is_read():
    text = (
        "namespace=shop&service=reviews&to=ratings&from=shop/web&method=get,post&path=/a*&host=Reviews:*&status=5xx,404"
        "&status=301-303&header=x-kind=a*&header=authorization&slowerThan=200&identity=*/sa/web&route=default"
        "&headers=X-*&headers=accept,user-agent&body=2048&max=5&seconds=60"
    )
    found = question_of(QueryParams(text), REDACTOR)
    assert found.target == Target(namespace="shop", service="reviews")
    assert (found.side, found.seconds, found.most) == (Side.OUT, 60, 5)
    assert found.showing == Showing(headers=("x-*", "accept", "user-agent"), body=2048)
    assert found.looking == Looking(
        methods=("GET", "POST"),
        path="/a*",
        authority="reviews:*",
        statuses=((500, 599), (404, 404), (301, 303)),
        headers=(("x-kind", "a*"), ("authorization", "*")),
        slower_than=200,
        identity="*/sa/web",
        source="shop/web",
        service="ratings",
        route="default",
    )
    assert "bodies=2048 bytes" in found.told
    assert "header=x-kind=a*" in found.told


def test_calls_are_watched_where_they_arrive_if_nothing_else_is_said():
    assert question_of(QueryParams("namespace=shop"), REDACTOR).side is Side.IN
    assert question_of(QueryParams("namespace=shop&side=out"), REDACTOR).side is Side.OUT


@pytest.mark.parametrize(
    "text",
    [
        "service=a",
        "namespace=shop&service=a&workload=b",
        "namespace=../x",
        "side=up",
        "status=6xx",
        "status=abc",
        "status=-5",
        "method=G ET",
        "header==x",
        "header=x*=1",
        "headers=a b",
        "body=70000",
        "body=-1",
        "slowerThan=x",
        "slowerThan=nan",
        "seconds=4000",
        "max=1e9",
        f"path={'a' * 600}",
        "&".join(f"header=x{number}" for number in range(20)),
    ],
)
def test_what_cannot_be_asked_is_refused(text: str):
    with pytest.raises(ApiError) as refused:
        question_of(QueryParams(text), REDACTOR)
    assert refused.value.code == 400


@pytest.mark.parametrize("header", ["authorization=Bearer a*", "cookie=*x*", "X-Api-Key=1"])
def test_hidden_values_cannot_be_guessed_by_looking_for_them(header: str):
    with pytest.raises(ApiError, match="hidden"):
        question_of(QueryParams({"namespace": "shop", "header": header}), REDACTOR)


def test_bodies_need_a_right_of_their_own():
    def asked(text: str) -> list[str]:
        return [one.told for one in asks_of(question_of(QueryParams(text), REDACTOR))]

    lines = 'tap resource "services" in API group "" in the namespace "shop"'
    assert asked("namespace=shop&headers=*") == [lines]
    assert asked("namespace=shop&body=1") == [lines, lines.replace('"services"', '"services/bodies"')]
    assert asked("")[0].endswith("at the cluster scope")
