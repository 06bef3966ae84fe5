"""The question whether callers know, as agents ask it."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from weft.model.identity import Identity
from weft.registry.farewell import LONGEST_WAIT, farewell_routes

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")


def answered(told: bool, peer: Identity | None) -> tuple[int, Any, list[float]]:
    waited: list[float] = []

    async def wait(seconds: float) -> bool:
        waited.append(seconds)
        return told

    app = Starlette(routes=farewell_routes(wait, lambda _: peer))
    answer = TestClient(app).get("/v1/told")
    return answer.status_code, answer.json(), waited


@pytest.mark.parametrize("told", [True, False])
def test_a_workload_is_told_what_came_of_waiting(told: bool) -> None:
    assert answered(told, REVIEWS) == (200, {"told": told}, [LONGEST_WAIT])


def test_without_a_certificate_nothing_is_waited_for() -> None:
    status, said, waited = answered(True, None)
    assert (status, said["error"]["code"], waited) == (401, "certificate_required", [])
