"""T7: the author of a document wants to stop or slow the control plane for everybody. What costs is refused, soon."""

import time
from typing import Any

import pytest

from tests.threats.plane import Plane

pytestmark = pytest.mark.live
ISTIO = "/apis/networking.istio.io/v1/namespaces/evil"
SECURITY = "/apis/security.istio.io/v1/namespaces/evil"
PATTERNS = {
    "1 MB": "a" * 1_000_000,
    "nested": "(a+)+$",
    "alternatives": "(a|a)*b" * 50,
    "counted": "(.{1,1000}){1,1000}",
    "counted deeply": "((((a{1,1000}){1,1000}){1,1000}){1,1000})",
    "open": "(" * 50_000,
    "classes": r"\pL" * 3_000,
    "backwards": r"(a)\1",
}


def rules(**match: Any) -> dict[str, Any]:
    http = [{"match": [match], "route": [{"destination": {"host": "x"}}]}]
    return _document("networking.istio.io/v1", "VirtualService", {"hosts": ["evil"], "http": http})


def _document(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "bomb"}, "spec": spec}


def _claims(pattern: str) -> dict[str, Any]:
    when = [{"key": "request.headers[x]", "values": [pattern]}]
    return _document("security.istio.io/v1", "AuthorizationPolicy", {"rules": [{"when": when}]})


def _places(pattern: str) -> list[tuple[str, dict[str, Any]]]:
    regex = {"regex": pattern}
    cors = {"allowOrigins": [regex]}
    allowed = {"hosts": ["evil"], "http": [{"corsPolicy": cors, "route": [{"destination": {"host": "x"}}]}]}
    changed = {"uriRegexRewrite": {"match": pattern, "rewrite": "/"}}
    rewritten = {"hosts": ["evil"], "http": [{"rewrite": changed, "route": [{"destination": {"host": "x"}}]}]}
    return [
        ("virtualservices", rules(uri=regex)),
        ("virtualservices", rules(headers={"x": regex})),
        ("virtualservices", rules(queryParams={"x": regex})),
        ("virtualservices", rules(method=regex)),
        ("virtualservices", rules(authority=regex)),
        ("virtualservices", _document("networking.istio.io/v1", "VirtualService", allowed)),
        ("virtualservices", _document("networking.istio.io/v1", "VirtualService", rewritten)),
    ]


@pytest.mark.parametrize("name", PATTERNS)
def test_an_expression_that_costs_is_answered_within_a_second(name: str, attacked: Plane) -> None:
    before = attacked.memory
    for plural, content in _places(PATTERNS[name]):
        answer = attacked.ask("POST", f"{ISTIO}/{plural}", content)
        assert answer.status in (201, 400, 413, 422), answer.body[:300]
        assert answer.busy < 1
        if answer.status == 201:
            assert name in ("nested", "alternatives"), "what costs to compile is not taken"
            assert attacked.ask("DELETE", f"{ISTIO}/{plural}/bomb").status == 200
        assert b"Traceback" not in answer.body
    assert attacked.memory - before < 50 * 2**20


def test_long_values_of_a_policy_are_answered_within_a_second(attacked: Plane) -> None:
    for content in (_claims("a" * 1_000_000), _claims("*" * 100_000)):
        answer = attacked.ask("POST", f"{SECURITY}/authorizationpolicies", content)
        assert answer.busy < 1
        if answer.status == 201:
            attacked.ask("DELETE", f"{SECURITY}/authorizationpolicies/bomb")


def _wide(**spec: Any) -> dict[str, Any]:
    return _document("networking.istio.io/v1", "VirtualService", spec)


MUCH = {
    "unknown fields": lambda: _wide(**{f"field{number}": 0 for number in range(10_000)}),
    "wrong rules": lambda: _wide(hosts=["x"], http=[{"match": [{"uri": {"regex": "("}}]}] * 4_000),
    "values": lambda: _wide(hosts=[0] * 200_000),
    "nearly known words": lambda: _wide(hosts=["x"], http=[{"rout" + "e" * 60: 1}] * 4_000),
}


@pytest.mark.parametrize("name", MUCH)
def test_a_document_with_very_much_that_is_wrong_is_answered_within_a_second(name: str, attacked: Plane) -> None:
    before = attacked.memory
    answer = attacked.ask("POST", f"{ISTIO}/virtualservices", MUCH[name]())
    assert answer.status in (400, 422)
    assert answer.busy < 1
    assert len(answer.body) < 2**18
    assert attacked.memory - before < 50 * 2**20


def test_others_are_answered_while_bombs_are_written(attacked: Plane) -> None:
    import threading

    content = rules(uri={"regex": PATTERNS["counted"]})
    done = threading.Event()

    def writes() -> None:
        while not done.is_set():
            attacked.ask("POST", f"{ISTIO}/virtualservices", content)

    writers = [threading.Thread(target=writes) for _ in range(3)]
    for one in writers:
        one.start()
    try:
        slowest = 0.0
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            answer = attacked.ask("GET", "/apis/networking.istio.io/v1/namespaces/shop/virtualservices")
            assert answer.status == 200
            slowest = max(slowest, answer.busy)
    finally:
        done.set()
        for one in writers:
            one.join()
    assert slowest < 1
    attacked.well()
