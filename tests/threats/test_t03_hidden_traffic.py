"""T3: a workload that was taken over wants the requests of others. It registers as its certificate says."""

from typing import Any

import pytest

from tests.threats.plane import Member, Plane

pytestmark = pytest.mark.live


def registration(**changed: Any) -> dict[str, Any]:
    said = {"service": "rogue", "address": "127.0.0.1", "ports": [{"port": 80, "bind_port": 15080}]}
    return said | changed


def entries(attacked: Plane, namespace: str) -> list[Any]:
    answer = attacked.ask("GET", f"/apis/networking.istio.io/v1/namespaces/{namespace}/workloadentries")
    return list(answer.json()["items"])


@pytest.mark.parametrize("more", [{"namespace": "bank"}, {"account": "vault"}, {"serviceAccount": "vault"}])
def test_a_registration_cannot_name_another_owner(more: dict[str, str], attacked: Plane, rogue: Member) -> None:
    assert attacked.tell("PUT", "/v1/workloads/rogue-2", registration(**more), rogue).status == 400
    assert entries(attacked, "bank") == []


@pytest.mark.parametrize("name", ["..%2Fbank%2Fvault", "bank%2Fvault", "vault.bank%00", "Vault", "-", "a" * 300])
def test_no_name_leads_out_of_the_namespace(name: str, attacked: Plane, rogue: Member) -> None:
    answer = attacked.tell("PUT", f"/v1/workloads/{name}", registration(), rogue)
    assert answer.status in (400, 404), answer
    assert entries(attacked, "bank") == []


def test_the_entry_of_another_account_is_neither_replaced_nor_removed(attacked: Plane, rogue: Member) -> None:
    clerk = attacked.join("shop", "clerk")
    assert attacked.tell("PUT", "/v1/workloads/clerk-1", registration(service="clerk"), clerk).status == 200
    (before,) = [one for one in entries(attacked, "shop") if one["metadata"]["name"] == "clerk-1"]
    for method, body in (("PUT", registration(service="clerk", address="127.0.0.66")), ("DELETE", None)):
        assert attacked.tell(method, "/v1/workloads/clerk-1", body, rogue).status == 403
    (after,) = [one for one in entries(attacked, "shop") if one["metadata"]["name"] == "clerk-1"]
    assert after == before


def test_what_a_user_wrote_is_not_taken_over(attacked: Plane, rogue: Member) -> None:
    entry = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "rogue-9"},
        "spec": {"address": "127.0.0.1", "serviceAccount": "rogue", "labels": {"app": "pay"}},
    }
    path = "/apis/networking.istio.io/v1/namespaces/shop/workloadentries"
    assert attacked.ask("POST", path, entry).status == 201
    assert attacked.tell("PUT", "/v1/workloads/rogue-9", registration(), rogue).status == 403


@pytest.mark.parametrize("path", ["/v1/workloads/x", "/v1/renew", "/v1/authority", "/v1/start", "/v1/breakers/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_registered_or_told_without_a_certificate(path: str, method: str, attacked: Plane) -> None:
    assert attacked.tell(method, path, registration()).status in (400, 401, 405, 429)


@pytest.mark.parametrize("labels", [{}, {"app": "cash"}])
def test_the_service_of_others_is_not_served(labels: dict[str, str], attacked: Plane, rogue: Member) -> None:
    cash = attacked.join("shop", "cash")
    assert attacked.tell("PUT", "/v1/workloads/cash-1", registration(service="cash"), cash).status == 200
    said = registration(service="rogue" if labels else "cash", labels=labels)
    answer = attacked.tell("PUT", "/v1/workloads/rogue-3", said, rogue)
    serving = [one for one in entries(attacked, "shop") if one["spec"].get("labels", {}).get("app") == "cash"]
    assert answer.status == (200 if labels else 403)
    assert {one["spec"]["serviceAccount"] for one in serving} == {"cash"}


@pytest.mark.parametrize("address", ["169.254.169.254", "8.8.8.8", "0.0.0.0", "224.0.0.1"])
def test_an_address_that_is_not_the_callers_is_not_registered(address: str, attacked: Plane, rogue: Member) -> None:
    answer = attacked.tell("PUT", "/v1/workloads/rogue-4", registration(address=address), rogue)
    assert answer.status in (400, 403), answer
