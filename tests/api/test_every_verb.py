"""Every verb of every kind, by one who has nothing, and by one who has that verb alone; and how much one may ask."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import AUTHENTICATED, MASTERS
from weft.api.resources import Catalogue
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROOT = Subject(name="root", groups=(MASTERS, AUTHENTICATED))
METHODS = {
    "get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "patch": "PATCH",
    "delete": "DELETE", "deletecollection": "DELETE",
}  # fmt: skip
OF_COLLECTIONS = ("list", "watch", "create", "deletecollection")
KINDS = sorted(DIALECT.kinds, key=lambda kind: (kind.group, kind.kind))


class Api:
    """An API, and clients by the names of their users."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.audited: list[AuditEntry] = []

        async def authenticate(token: str) -> Subject | None:
            return ROOT if token == "root" else Subject(name=token, groups=(AUTHENTICATED,))

        self.app: Starlette = build_api(
            store=self.store,
            review=lambda *_: (),
            authenticate=authenticate,
            authorizer=Authorizer(self.store, DIALECT.kinds),
            clock=self.clock,
            auditor=self.audited.append,
        )
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1")

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        self.clock.advance(1)
        headers = {"Authorization": f"Bearer {who}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return await self.client.request(method, path, json=body if body is not None else {}, headers=headers)

    async def gives(self, who: str, verb: str, group: str, resource: str) -> None:
        rule = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": who}}
        await self._made("clusterroles", role | {"rules": [rule]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": who}
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": who}]
        await self._made("clusterrolebindings", role | {
            "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": subjects,
        })  # fmt: skip

    async def _made(self, plural: str, content: dict[str, Any]) -> None:
        answer = await self.ask("root", "POST", f"{RBAC}/{plural}", content)
        assert answer.status_code == 201, answer.text


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    yield made
    await made.client.aclose()


def path_of(kind: Any, verb: str) -> str:
    version = kind.versions[0]
    base = f"/apis/{kind.group}/{version}" if kind.group else f"/api/{version}"
    space = "/namespaces/shop" if kind.namespaced else ""
    name = "" if verb in OF_COLLECTIONS else "/thing"
    query = "?watch=true&timeoutSeconds=1" if verb == "watch" else ""
    return f"{base}{space}/{kind.plural}{name}{query}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.plural}.{kind.group}")
async def test_every_verb_of_a_kind_is_refused_without_a_role_and_is_a_right_of_its_own(kind: Any, api: Api) -> None:
    resource = Catalogue(DIALECT).find(kind.group, kind.versions[0], kind.plural)
    assert resource is not None
    verbs = [verb for verb in METHODS if verb in resource.verbs and verb != "watch"]
    assert {"get", "list"} <= set(verbs)
    for verb in verbs:
        await api.gives(f"has-{verb}", verb, kind.group, kind.plural)
    for verb, holder in itertools.product(verbs, ("nobody", *(f"has-{one}" for one in verbs))):
        answer = await api.ask(holder, METHODS[verb], path_of(kind, verb))
        if holder == f"has-{verb}":
            assert answer.status_code != 403 or "cannot" not in answer.json()["message"], (verb, holder)
        else:
            assert answer.status_code == 403, (verb, holder, answer.text)
            assert f'cannot {verb} resource "{kind.plural}"' in answer.json()["message"]


@pytest.mark.slow
@pytest.mark.parametrize("taken", ["the role", "the binding"])
async def test_a_watch_ends_when_its_right_is_taken_away(taken: str, api: Api) -> None:
    await api.gives("jane", "watch", "", "services")
    watching = asyncio.ensure_future(api.ask("jane", "GET", "/api/v1/services?watch=true&timeoutSeconds=600"))
    await asyncio.sleep(0.2)
    assert not watching.done()
    plural = "clusterroles" if taken == "the role" else "clusterrolebindings"
    assert (await api.ask("root", "DELETE", f"{RBAC}/{plural}/jane")).status_code == 200
    answer = await asyncio.wait_for(watching, 5)
    assert answer.status_code == 200
    assert (await api.ask("jane", "GET", "/api/v1/services?watch=true")).status_code == 403


@pytest.mark.slow
async def test_one_who_asks_on_and_on_must_wait_and_others_need_not(api: Api) -> None:
    async def codes(who: str, count: int) -> list[int]:
        headers = {"Authorization": f"Bearer {who}"}
        return [(await api.client.get("/version", headers=headers)).status_code for _ in range(count)]

    flood = await codes("jane", 520)
    assert flood == [200] * 500 + [429] * 20
    answer = await api.client.get("/version", headers={"Authorization": "Bearer jane"})
    assert (answer.headers["retry-after"], answer.json()["reason"]) == ("1", "TooManyRequests")
    assert await codes("john", 1) == [200]
    assert set(await codes("root", 520)) == {200}
    assert {(one.who, one.code) for one in api.audited} == {("jane", 429)}
    api.clock.advance(1)
    assert await codes("jane", 101) == [200] * 100 + [429]


@pytest.mark.slow
async def test_who_acts_as_another_is_counted_themselves(api: Api) -> None:
    await api.gives("boss", "impersonate", "", "users")
    headers = {"Authorization": "Bearer boss", "Impersonate-User": "jane"}
    codes = [(await api.client.get("/version", headers=headers)).status_code for _ in range(501)]
    assert codes[-1] == 429
    assert (await api.client.get("/version", headers={"Authorization": "Bearer jane"})).status_code == 200


@pytest.mark.parametrize("opener", ['{"a":', "["])
async def test_a_body_that_is_deep_is_refused_in_words(opener: str, api: Api) -> None:
    closer = {"[": "]", '{"a":': "}"}[opener]
    for depth, code in ((101, 400), (100_000, 400)):
        content = opener * depth + "1" + closer * depth
        answer = await api.client.post(
            "/api/v1/namespaces/shop/services",
            content=content,
            headers={"Authorization": "Bearer root", "Content-Type": "application/json"},
        )
        assert answer.status_code == code
        assert "levels deep" in answer.json()["message"]
