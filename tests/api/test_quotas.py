"""ResourceQuotas: how many objects a namespace may hold, whoever creates them and however."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.api.api_requests import SERVICES, VS, applied, created, service, virtual_service

pytestmark = pytest.mark.asyncio
QUOTAS = "/api/v1/namespaces/shop/resourcequotas"
VIRTUAL = "count/virtualservices.networking.istio.io"


def quota(name: str = "few", **hard: Any) -> dict[str, Any]:
    named = {key.replace("_", "/"): amount for key, amount in hard.items()}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": named}}


async def test_what_exceeds_a_quota_is_refused_in_kubernetes_words(client: httpx2.AsyncClient) -> None:
    await created(client, quota(services="2"), QUOTAS)
    for name in ("a", "b"):
        await created(client, service(name), SERVICES)
    answer = await client.post(SERVICES, json=service("c"))
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    assert answer.json()["message"] == (
        'services "c" is forbidden: exceeded quota: few, requested: services=1, used: services=2, limited: services=2'
    )
    assert (await client.delete(f"{SERVICES}/a")).status_code == 200
    await created(client, service("c"), SERVICES)


async def test_applying_is_creating_and_changing_is_not(client: httpx2.AsyncClient) -> None:
    await created(client, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
                           "spec": {"hard": {VIRTUAL: 1}}}, QUOTAS)  # fmt: skip
    assert (await applied(client, virtual_service("a"), "tester")).status_code == 201
    assert (await applied(client, virtual_service("a", host="other"), "tester")).status_code == 200
    assert (await applied(client, virtual_service("b", host="b"), "tester")).status_code == 403
    assert (await client.post(f"{VS}?dryRun=All", json=virtual_service("b", host="b"))).status_code == 403


async def test_other_kinds_and_namespaces_are_not_counted(client: httpx2.AsyncClient) -> None:
    await created(client, quota(count_services="0"), QUOTAS)
    await created(client, virtual_service(), VS)
    await created(client, service(), "/api/v1/namespaces/other/services")
    assert (await client.post(SERVICES, json=service())).status_code == 403


async def test_of_several_quotas_the_least_counts(client: httpx2.AsyncClient) -> None:
    await created(client, quota("many", services="9"), QUOTAS)
    await created(client, quota("few", services="1"), QUOTAS)
    await created(client, service("a"), SERVICES)
    assert "exceeded quota: few" in (await client.post(SERVICES, json=service("b"))).json()["message"]


async def test_of_many_who_create_at_once_only_so_many_do(client: httpx2.AsyncClient) -> None:
    await created(client, quota(services="5"), QUOTAS)
    answers = await asyncio.gather(*(client.post(SERVICES, json=service(f"s{number}")) for number in range(30)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [403] * 25


async def test_what_is_used_is_told(client: httpx2.AsyncClient) -> None:
    made = quota(services="3", count_secrets="4")
    made["spec"]["hard"]["requests.cpu"] = "2"
    answer = await client.post(QUOTAS, json=made)
    assert answer.status_code == 201
    assert "limits nothing here" in answer.headers["warning"]
    await created(client, service("a"), SERVICES)
    status = {"hard": {"services": "3", "count/secrets": "4"}, "used": {"services": "1", "count/secrets": "0"}}
    assert (await client.get(f"{QUOTAS}/few")).json()["status"] == status
    assert (await client.get(QUOTAS)).json()["items"][0]["status"] == status
    stored = (await client.patch(f"{QUOTAS}/few", content=json.dumps({"metadata": {"labels": {"a": "b"}}}),
                                 headers={"Content-Type": "application/merge-patch+json"})).json()  # fmt: skip
    assert "status" not in stored


@pytest.mark.parametrize("amount", ["-1", "1.5", "many", "", -1, "9999999999"])
async def test_what_is_no_number_is_refused(amount: Any, client: httpx2.AsyncClient) -> None:
    assert (await client.post(QUOTAS, json=quota(services=amount))).status_code == 422


@pytest.mark.parametrize(
    "spec",
    [{"scopes": ["BestEffort"]}, {"scopeSelector": {"matchExpressions": [{"scopeName": "x", "operator": "Exists"}]}}],
)
async def test_what_chooses_pods_is_refused_by_name(spec: dict[str, Any], client: httpx2.AsyncClient) -> None:
    made = quota(services="1")
    made["spec"] |= spec
    answer = await client.post(QUOTAS, json=made)
    assert answer.status_code == 422
    assert "W0110" in answer.text
