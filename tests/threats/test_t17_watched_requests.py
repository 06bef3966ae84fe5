"""T17: somebody who may watch live requests wants more: other namespaces, bodies, secrets, and nobody to know of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import serving
from tests.threats.plane import Plane
from tests.threats.test_t11_curious_users import InProcess

pytestmark = pytest.mark.live
_RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with serving(tmp_path_factory.mktemp("watched") / "state") as running:
        yield InProcess(running)


def _user(plane: Plane, name: str, *rules: dict[str, Any]) -> str:
    """A token of a user with a role in the namespace shop."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    assert plane.ask("POST", f"{_RBAC}/roles", role).status == 201
    assert plane.ask("POST", f"{_RBAC}/rolebindings", binding).status == 201
    return str(plane.ask("POST", "/weft/v1/api-tokens", {"user": name, "ttlSeconds": 600}).json()["token"])


def _asked(plane: Plane, token: str, query: str) -> int:
    return plane.ask("GET", f"/weft/v1/tap?seconds=0.1&{query}", None, token).status


def test_a_reader_of_everything_watches_nothing(plane: Plane):
    token = _user(plane, "reader", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]})
    for query in ("namespace=shop", "namespace=shop&service=reviews", "namespace=shop&body=1", ""):
        assert _asked(plane, token, query) == 403, query


def test_who_may_watch_one_service_watches_no_other_and_no_bodies(plane: Plane):
    rule = {"apiGroups": [""], "resources": ["services"], "resourceNames": ["reviews"], "verbs": ["tap"]}
    token = _user(plane, "narrow", rule)
    assert _asked(plane, token, "namespace=shop&service=reviews") == 200
    for query in (
        "namespace=shop",
        "namespace=shop&service=ratings",
        "namespace=shop&workload=reviews-1",
        "namespace=bank&service=reviews",
        "service=reviews",
        "namespace=shop&service=reviews&body=1",
        "",
    ):
        assert _asked(plane, token, query) in (400, 403), query


def test_hidden_headers_cannot_be_guessed(plane: Plane):
    token = _user(plane, "guesser", {"apiGroups": [""], "resources": ["services"], "verbs": ["tap"]})
    for header in ("authorization=Bearer*", "cookie=a*", "x-api-key=1"):
        assert _asked(plane, token, f"namespace=shop&header={header}") == 400, header


def test_nobody_watches_unseen(plane: Plane):
    token = _user(plane, "seen", {"apiGroups": [""], "resources": ["services"], "verbs": ["tap"]})
    assert _asked(plane, token, "namespace=shop&path=/looked-for&headers=x-*") == 200
    assert _asked(plane, token, "namespace=bank") == 403
    entries = [one for one in plane.ask("GET", "/weft/v1/audit").json()["items"] if one.get("who") == "seen"]
    details = [one.get("detail", "") for one in entries if one["verb"] == "tap"]
    assert any(one.startswith("begun") and "path=/looked-for headers=x-* bodies=no" in one for one in details)
    assert any(one.startswith("ended (time)") for one in details)
    assert any(one["outcome"] == "denied" for one in entries)
    assert "weft_api_" not in json.dumps(entries)
