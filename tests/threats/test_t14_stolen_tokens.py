"""T14: a thief of an API token wants to stay. It is limited, it ends, and it can be taken back at once."""

import http.client
import json
import time
from typing import Any

import pytest

from tests.threats.plane import Plane

pytestmark = pytest.mark.live


def stolen(attacked: Plane, **limits: Any) -> tuple[str, str]:
    """A token of the administrator's, with limits, and its id."""
    wanted = {"groups": ["system:masters"], "ttlSeconds": 600} | limits
    answer = attacked.ask("POST", "/weft/v1/api-tokens", wanted)
    assert answer.status == 200, answer
    told = answer.json()
    return told["token"], told["id"]


def test_one_that_was_taken_back_is_refused_at_once(attacked: Plane) -> None:
    token, name = stolen(attacked)
    assert attacked.ask("GET", "/api/v1/secrets", token=token).status == 200
    assert attacked.ask("DELETE", f"/weft/v1/api-tokens/{name}").status == 200
    assert attacked.ask("GET", "/api/v1/secrets", token=token).status == 401


def test_what_it_watches_ends_within_five_seconds(attacked: Plane) -> None:
    token, name = stolen(attacked)
    watching = http.client.HTTPSConnection("127.0.0.1", attacked.api, timeout=8, context=attacked.trusting())
    watching.request("GET", "/api/v1/secrets?watch=true", headers={"Authorization": f"Bearer {token}"})
    answer = watching.getresponse()
    assert attacked.ask("DELETE", f"/weft/v1/api-tokens/{name}").status == 200
    began = time.monotonic()
    while answer.readline():
        pass
    assert time.monotonic() - began < 5
    watching.close()


def test_one_that_ended_is_refused(attacked: Plane) -> None:
    token, _ = stolen(attacked, ttlSeconds=2)
    assert attacked.ask("GET", "/api", token=token).status == 200
    until = time.monotonic() + 10
    while attacked.ask("GET", "/api", token=token).status != 401:
        assert time.monotonic() < until, "the token goes on after its end"
        time.sleep(0.05)


def test_it_makes_no_other_that_reaches_further_or_outlives_it(attacked: Plane) -> None:
    token, _ = stolen(attacked, namespaces=["shop"], verbs=["get", "create"])
    for limits in ({}, {"namespaces": ["bank"]}, {"verbs": ["*"]}, {"namespaces": ["shop"], "verbs": ["delete"]}):
        answer = attacked.ask("POST", "/weft/v1/api-tokens", {"ttlSeconds": 60, **limits}, token)
        assert answer.status in (400, 403), answer
    assert attacked.ask("GET", "/api/v1/namespaces/bank/secrets", token=token).status == 403
    assert attacked.ask("DELETE", "/api/v1/namespaces/shop/secrets/x", token=token).status == 403


def test_what_it_makes_ends_with_it(attacked: Plane) -> None:
    token, name = stolen(attacked, ttlSeconds=300)
    wanted = {"groups": ["system:masters"], "ttlSeconds": 86_400}
    child = attacked.ask("POST", "/weft/v1/api-tokens", wanted, token).json()
    assert child["expiresIn"] <= 300
    other = {"user": "jane", "groups": ["system:masters"], "ttlSeconds": 86_400}
    grandchild = attacked.ask("POST", "/weft/v1/api-tokens", other, child["token"]).json()
    assert attacked.ask("GET", "/api", token=grandchild["token"]).status == 200
    assert attacked.ask("DELETE", f"/weft/v1/api-tokens/{name}").status == 200
    for left in (child, grandchild):
        assert attacked.ask("GET", "/api", token=left["token"]).status == 401


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.swapcase(), lambda t: t[::-1]])
def test_nearly_right_is_wrong(change: Any, attacked: Plane) -> None:
    token, _ = stolen(attacked)
    assert attacked.ask("GET", "/api", token=change(token)).status in (401, 429)


def test_it_leaves_a_trace_with_its_name_and_without_itself(attacked: Plane) -> None:
    token, name = stolen(attacked)
    assert attacked.ask("GET", "/api/v1/namespaces/bank/secrets", token=token).status == 200
    lines = json.dumps(attacked.ask("GET", "/weft/v1/audit?limit=50").json())
    assert name in lines
    assert token not in lines
