"""Who may do what with the API: Kubernetes' roles and bindings on every verb, and nobody's way around them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from tests.api.api_requests import Reviewer
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import AUTHENTICATED, MASTERS
from weft.api.permissions import Scope
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.tokens import ApiTokens
from weft.api.weft_tokens import token_routes
from weft.kit.clock import FakeClock
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES, BINDINGS = f"{RBAC}/namespaces/shop/roles", f"{RBAC}/namespaces/shop/rolebindings"
SERVICES = "/api/v1/namespaces/{}/services"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
PEOPLE = {
    "root": Subject(name="root", groups=(MASTERS,)),
    "jane": Subject(name="jane", groups=("devs", AUTHENTICATED)),
    "bot": Subject(name="system:serviceaccount:ci:bot", groups=("system:serviceaccounts", AUTHENTICATED)),
    "reader": Subject(name="root", groups=(MASTERS,), scope=Scope(namespaces=("shop",), verbs=("get", "list"))),
}


@pytest.fixture
def tokens(store: MemoryStore, clock: FakeClock) -> ApiTokens:
    return ApiTokens(store, clock)


@pytest.fixture
def app(store: MemoryStore, reviewer: Reviewer, clock: FakeClock, tokens: ApiTokens) -> Starlette:
    async def authenticate(token: str) -> Subject | None:
        return PEOPLE.get(token) or await tokens.subject(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    return build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=token_routes(tokens, authorizer, clock),
        clock=clock,
    )


class People:
    """One client, many callers."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        told = {"Authorization": f"Bearer {who}", "Content-Type": "application/json", **headers}
        content = None if body is None else json.dumps(body)
        return await self._client.request(method, path, content=content, headers=told)

    async def code(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> int:
        return (await self.ask(who, method, path, body, **headers)).status_code


@pytest_asyncio.fixture
async def people(app: Starlette) -> AsyncIterator[People]:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
        yield People(client)


def service(name: str, namespace: str = "shop") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": list(rules)}


def binding(name: str, reference: str, user: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    kind, target = reference.split("/")
    subjects = [{"kind": "User", "name": user}]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"kind": kind, "name": target},
        "subjects": subjects,
    } | more


SERVICES_READ = {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["services"]}


async def test_what_no_role_allows_is_refused_with_kubernetes_words(people: People) -> None:
    answer = await people.ask("jane", "GET", SERVICES.format("shop"))
    assert answer.status_code == 403
    body = answer.json()
    assert (body["reason"], body["details"]) == ("Forbidden", {"kind": "services"})
    assert body["message"] == (
        'services is forbidden: User "jane" cannot list resource "services" in API group "" in the namespace "shop"'
    )
    told = (await people.ask("jane", "GET", "/api/v1/namespaces/shop/services/a")).json()["message"]
    assert told.startswith('services "a" is forbidden: User "jane" cannot get resource "services"')


async def test_a_namespace_s_role_holds_in_its_namespace(people: People) -> None:
    assert await people.code("root", "POST", SERVICES.format("shop"), service("a")) == 201
    assert await people.code("root", "POST", ROLES, role("see", SERVICES_READ, namespace="shop")) == 201
    bound = binding("jane", "Role/see", "jane", "shop")
    assert await people.code("root", "POST", BINDINGS, bound) == 201
    assert await people.code("jane", "GET", SERVICES.format("shop")) == 200
    assert await people.code("jane", "GET", SERVICES.format("shop") + "/a") == 200
    assert await people.code("jane", "GET", SERVICES.format("other")) == 403
    assert await people.code("jane", "GET", "/api/v1/services") == 403
    for method, path, body in [
        ("POST", SERVICES.format("shop"), service("b")),
        ("PUT", SERVICES.format("shop") + "/a", service("a")),
        ("PATCH", SERVICES.format("shop") + "/a", {}),
        ("DELETE", SERVICES.format("shop") + "/a", None),
        ("DELETE", SERVICES.format("shop"), None),
    ]:
        assert await people.code("jane", method, path, body) == 403, method
    assert await people.code("root", "DELETE", f"{RBAC}/namespaces/shop/rolebindings/jane") == 200
    assert await people.code("jane", "GET", SERVICES.format("shop")) == 403


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("view", {"list": 200, "create": 403, "secrets": 403, "roles": 403}),
        ("edit", {"list": 200, "create": 201, "secrets": 200, "roles": 403}),
        ("admin", {"list": 200, "create": 201, "secrets": 200, "roles": 200}),
    ],
)
async def test_the_built_in_roles_are_kubernetes_own(people: People, name: str, expected: dict[str, int]) -> None:
    bound = binding("jane", f"ClusterRole/{name}", "jane", "shop")
    assert await people.code("root", "POST", BINDINGS, bound) == 201
    assert {
        "list": await people.code("jane", "GET", SERVICES.format("shop")),
        "create": await people.code("jane", "POST", SERVICES.format("shop"), service("a")),
        "secrets": await people.code("jane", "GET", "/api/v1/namespaces/shop/secrets"),
        "roles": await people.code("jane", "GET", ROLES),
    } == expected
    assert await people.code("jane", "GET", SERVICES.format("other")) == 403


async def test_the_built_in_roles_are_listed_and_cannot_be_written(people: People) -> None:
    listed = (await people.ask("root", "GET", f"{RBAC}/clusterroles")).json()["items"]
    assert [one["metadata"]["name"] for one in listed] == ["admin", "cluster-admin", "edit", "view"]
    assert (await people.ask("root", "GET", f"{RBAC}/clusterroles/view")).json()["rules"]
    assert await people.code("root", "POST", f"{RBAC}/clusterroles", role("view", SERVICES_READ)) in (403, 409)
    assert await people.code("root", "DELETE", f"{RBAC}/clusterroles/view") == 403


async def test_nobody_gives_more_than_they_have(people: People) -> None:
    """Escalation by writing a role, by binding one, by binding what is not there yet."""
    await people.ask("root", "POST", BINDINGS, binding("jane", "ClusterRole/admin", "jane", "shop"))
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    answer = await people.ask("jane", "POST", ROLES, role("more", everything, namespace="shop"))
    assert answer.status_code == 403
    assert "not currently held" in answer.json()["message"]
    assert await people.code("jane", "POST", ROLES, role("see", SERVICES_READ, namespace="shop")) == 201
    assert await people.code("jane", "PATCH", f"{ROLES}/see", {"rules": [everything]}, **MERGE) == 403
    assert await people.code("jane", "POST", BINDINGS, binding("a", "ClusterRole/cluster-admin", "jane", "shop")) == 403
    assert await people.code("jane", "POST", BINDINGS, binding("b", "Role/later", "jane", "shop")) == 403
    assert await people.code("jane", "POST", BINDINGS, binding("c", "ClusterRole/view", "bob", "shop")) == 201
    assert (
        await people.code("jane", "POST", f"{RBAC}/clusterrolebindings", binding("d", "ClusterRole/view", "jane"))
        == 403
    )


async def test_the_role_of_a_binding_cannot_be_changed(people: People) -> None:
    path = f"{RBAC}/clusterrolebindings"
    assert await people.code("root", "POST", path, binding("a", "ClusterRole/view", "jane")) == 201
    current = (await people.ask("root", "GET", f"{path}/a")).json()
    answer = await people.ask(
        "root", "PUT", f"{path}/a", current | {"roleRef": {"kind": "ClusterRole", "name": "edit"}}
    )
    assert (answer.status_code, "W0131" in answer.json()["message"]) == (422, True)


async def test_accounts_groups_and_sums_of_roles_are_known(people: People) -> None:
    part = role("part", SERVICES_READ)
    part["metadata"]["labels"] = {"sum": "yes"}
    whole = role("whole") | {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"sum": "yes"}}]}}
    assert await people.code("root", "POST", f"{RBAC}/clusterroles", part) == 201
    assert await people.code("root", "POST", f"{RBAC}/clusterroles", whole) == 201
    account = {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}
    both = binding("both", "ClusterRole/whole", "", subjects=[account, {"kind": "Group", "name": "devs"}])
    assert await people.code("root", "POST", f"{RBAC}/clusterrolebindings", both) == 201
    for who in ("bot", "jane"):
        assert await people.code(who, "GET", "/api/v1/services") == 200
    assert await people.code("jane", "GET", "/api/v1/configmaps") == 403


async def test_reviews_tell_the_truth(people: People) -> None:
    await people.ask("root", "POST", BINDINGS, binding("jane", "ClusterRole/view", "jane", "shop"))
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    async def may(**resource: str) -> bool:
        answer = await people.ask("jane", "POST", path, {"spec": {"resourceAttributes": resource}})
        return bool(answer.json()["status"]["allowed"])

    assert await may(verb="get", resource="services", namespace="shop")
    assert not await may(verb="get", resource="secrets", namespace="shop")
    assert not await may(verb="get", resource="services", namespace="other")
    rules = await people.ask(
        "jane", "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "shop"}}
    )
    status = rules.json()["status"]
    assert any("services" in rule["resources"] for rule in status["resourceRules"])
    assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])


async def test_only_who_may_impersonate_acts_as_another(people: People) -> None:
    assert await people.code("root", "GET", "/api/v1/services", **{"Impersonate-User": "jane"}) == 403
    assert await people.code("jane", "GET", "/api/v1/services", **{"Impersonate-User": "root"}) == 403
    masters = {"Impersonate-User": "x", "Impersonate-Group": MASTERS}
    assert await people.code("root", "GET", "/api/v1/services", **masters) == 200
    assert await people.code("jane", "GET", "/api/v1/services", **masters) == 403
    assert await people.code("root", "GET", "/api/v1/services", **{"Impersonate-Uid": "5"}) == 403


async def test_a_limited_credential_stays_limited_whoever_owns_it(people: People) -> None:
    assert await people.code("reader", "GET", SERVICES.format("shop")) == 200
    assert await people.code("reader", "POST", SERVICES.format("shop"), service("a")) == 403
    assert await people.code("reader", "GET", "/api/v1/services") == 403
    masters = {"Impersonate-User": "x", "Impersonate-Group": MASTERS}
    assert await people.code("reader", "GET", "/api/v1/services", **masters) == 403


async def test_apply_needs_create_for_what_is_not_there(people: People) -> None:
    patcher = role("patcher", {"verbs": ["patch"], "apiGroups": [""], "resources": ["services"]})
    await people.ask("root", "POST", f"{RBAC}/clusterroles", patcher)
    await people.ask("root", "POST", f"{RBAC}/clusterrolebindings", binding("p", "ClusterRole/patcher", "jane"))
    path = SERVICES.format("shop") + "/a?fieldManager=t&force=true"
    assert await people.code("jane", "PATCH", path, service("a"), **APPLY) == 403
    assert await people.code("root", "POST", SERVICES.format("shop"), service("a")) == 201
    assert await people.code("jane", "PATCH", path, service("a"), **APPLY) == 200


async def test_a_token_is_shown_once_hashed_at_rest_and_ends(
    people: People, store: MemoryStore, clock: FakeClock
) -> None:
    created = (await people.ask("root", "POST", "/weft/v1/api-tokens", {"user": "jane", "ttlSeconds": 60})).json()
    token = created["token"]
    assert len(base64.urlsafe_b64decode(token.removeprefix("weft_api_") + "=")) == 32
    (record,) = await store.records("api-tokens")
    assert token not in record.name + record.value.decode()
    assert token not in (await people.ask("root", "GET", "/weft/v1/api-tokens")).text
    assert (await people.ask(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})).json()["status"][
        "userInfo"
    ]["username"] == "jane"
    clock.advance(61)
    assert await people.code(token, "GET", "/version") == 401


async def test_a_token_that_is_revoked_is_refused_at_once(people: People) -> None:
    created = (await people.ask("root", "POST", "/weft/v1/api-tokens", {"user": "jane"})).json()
    assert await people.code(created["token"], "GET", "/version") == 200
    assert await people.code("root", "DELETE", f"/weft/v1/api-tokens/{created['id']}") == 200
    assert await people.code(created["token"], "GET", "/version") == 401
    assert await people.code("root", "DELETE", f"/weft/v1/api-tokens/{created['id']}") == 404


async def test_a_token_gives_no_more_than_its_creator_has(people: People) -> None:
    giver = role("giver", {"verbs": ["create"], "apiGroups": ["weft.dev"], "resources": ["apitokens"]})
    await people.ask("root", "POST", f"{RBAC}/clusterroles", giver)
    await people.ask("root", "POST", f"{RBAC}/clusterrolebindings", binding("g", "ClusterRole/giver", "jane"))
    path = "/weft/v1/api-tokens"
    assert await people.code("bot", "POST", path, {}) == 403
    assert await people.code("jane", "POST", path, {"user": "root"}) == 403
    assert await people.code("jane", "POST", path, {"groups": [MASTERS]}) == 403
    own = (await people.ask("jane", "POST", path, {"groups": ["devs"], "verbs": ["create"]})).json()
    assert (own["user"], own["groups"], own["verbs"]) == ("jane", ["devs"], ["create"])
    assert await people.code(own["token"], "POST", path, {}) == 403
    assert await people.code(own["token"], "POST", path, {"verbs": ["create"]}) == 200


async def test_tokens_of_others_are_neither_seen_nor_revoked(people: People) -> None:
    created = (await people.ask("root", "POST", "/weft/v1/api-tokens", {"user": "root"})).json()
    assert (await people.ask("jane", "GET", "/weft/v1/api-tokens")).json()["items"] == []
    assert await people.code("jane", "DELETE", f"/weft/v1/api-tokens/{created['id']}") == 404
    assert await people.code(created["token"], "GET", "/version") == 200


async def test_a_watch_ends_when_its_token_is_revoked(
    app: Starlette, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.api.watch._CHECK_EVERY", 0.01)
    wanted = {"user": "x", "groups": [MASTERS], "ttlSeconds": 600}
    created = (await people.ask("root", "POST", "/weft/v1/api-tokens", wanted)).json()
    watching = asyncio.ensure_future(people.ask(created["token"], "GET", "/api/v1/services?watch=true"))
    await asyncio.sleep(0.1)
    assert not watching.done()
    await people.ask("root", "DELETE", f"/weft/v1/api-tokens/{created['id']}")
    assert (await asyncio.wait_for(watching, 5)).status_code == 200
