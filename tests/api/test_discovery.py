"""Discovery, versions, OpenAPI, health and the reviews about oneself."""

from typing import Any

import httpx2
import pytest

from weft.dialects.translate import KINDS

pytestmark = pytest.mark.asyncio
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def get(client: httpx2.AsyncClient, path: str, accept: str = "*/*") -> Any:
    answer = await client.get(path, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_groups_tell_their_preferred_version(client: httpx2.AsyncClient) -> None:
    groups = {group["name"]: group for group in (await get(client, "/apis"))["groups"]}
    assert groups["networking.istio.io"]["preferredVersion"]["version"] == "v1"
    assert [v["version"] for v in groups["networking.istio.io"]["versions"]] == ["v1", "v1beta1", "v1alpha3"]
    assert (await get(client, "/apis/security.istio.io"))["name"] == "security.istio.io"
    assert (await get(client, "/api"))["versions"] == ["v1"]


async def test_groups_are_in_the_order_of_a_cluster_so_that_gateway_means_the_same(client: httpx2.AsyncClient) -> None:
    plain = [group["name"] for group in (await get(client, "/apis"))["groups"]]
    aggregated = [item["metadata"]["name"] for item in (await get(client, "/apis", AGGREGATED))["items"]]
    for names in (plain, aggregated):
        assert names == sorted(names)
        assert names.index("gateway.networking.k8s.io") < names.index("networking.istio.io")


@pytest.mark.parametrize("plural", ["tcproutes", "udproutes"])
async def test_routes_of_bytes_are_served_as_gateway_api_has_them_now_and_had_them(
    client: httpx2.AsyncClient, plural: str
) -> None:
    groups = {group["name"]: group for group in (await get(client, "/apis"))["groups"]}
    assert groups["gateway.networking.k8s.io"]["preferredVersion"]["version"] == "v1"
    for version in ("v1", "v1alpha2"):
        found = await get(client, f"/apis/gateway.networking.k8s.io/{version}")
        assert plural in {resource["name"] for resource in found["resources"]}


async def test_every_kind_is_found_at_its_place(client: httpx2.AsyncClient) -> None:
    for kind in KINDS:
        for version in kind.versions:
            place = f"/apis/{kind.group}/{version}" if kind.group else f"/api/{version}"
            found = {resource["name"]: resource for resource in (await get(client, place))["resources"]}
            assert found[kind.plural]["kind"] == kind.kind
            assert found[kind.plural]["namespaced"] is kind.namespaced
            assert (f"{kind.plural}/status" in found) is not kind.flat


async def test_the_aggregated_form_says_the_same_in_one_answer(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/apis", headers={"Accept": AGGREGATED})
    assert answer.headers["content-type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    body = answer.json()
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    for group in body["items"]:
        for version in group["versions"]:
            place = f"/apis/{group['metadata']['name']}/{version['version']}"
            names = {resource["name"] for resource in (await get(client, place))["resources"]}
            assert {resource["resource"] for resource in version["resources"]} == {n for n in names if "/" not in n}
    core = await get(client, "/api", AGGREGATED.replace("v=v2", "v=v2beta1"))
    assert core["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert [version["version"] for version in core["items"][0]["versions"]] == ["v1"]


@pytest.mark.parametrize("path", ["/apis/none", "/apis/networking.istio.io/v9", "/api/v2", "/none", "/apis/", "/"])
async def test_what_is_not_served_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


async def test_every_kind_has_a_schema_and_operations(client: httpx2.AsyncClient) -> None:
    paths = (await get(client, "/openapi/v3"))["paths"]
    for kind in KINDS:
        for version in kind.versions:
            place = paths[f"apis/{kind.group}/{version}" if kind.group else f"api/{version}"]
            document = await get(client, place["serverRelativeURL"])
            wanted = {"group": kind.group, "kind": kind.kind, "version": version}
            schemas = [s for s in document["components"]["schemas"].values() if _names(s) == [wanted]]
            assert len(schemas) == 1
            head = {"apiVersion", "kind", "metadata"}
            own = schemas[0]["properties"].keys() - head
            assert head <= schemas[0]["properties"].keys()
            assert own and not own & {"spec", "status"} if kind.flat else own == {"spec", "status"}
            patches = [p["patch"] for p in document["paths"].values() if p.get("patch", {}).get(_GVK) == wanted]
            assert all(
                {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}
                for patch in patches
            )
            assert patches


_GVK = "x-kubernetes-group-version-kind"


def _names(schema: Any) -> Any:
    return schema.get(_GVK)


async def test_every_reference_of_a_document_leads_somewhere(client: httpx2.AsyncClient) -> None:
    def references(node: Any) -> Any:
        if isinstance(node, dict):
            yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            node = list(node.values())
        for child in node if isinstance(node, list) else []:
            yield from references(child)

    for place in (await get(client, "/openapi/v3"))["paths"].values():
        document = await get(client, place["serverRelativeURL"])
        schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= schemas


async def test_the_old_openapi_is_empty(client: httpx2.AsyncClient) -> None:
    assert (await get(client, "/openapi/v2"))["swagger"] == "2.0"
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = await client.get("/openapi/v2", headers={"Accept": accept})
    assert answer.headers["content-type"] == accept.replace("@", ".")  # Go parses no @ in an answer
    assert answer.content.startswith(b"\x0a\x032.0")
    assert (await client.get("/openapi/v2", headers={"Accept": "text/html"})).status_code == 406
    assert (await client.get("/openapi/v3/apis/none/v1")).status_code == 404


async def test_the_version_is_that_of_a_kubernetes_server(client: httpx2.AsyncClient) -> None:
    body = await get(client, "/version")
    assert body["gitVersion"].startswith(f"v{body['major']}.{body['minor']}.0+weft-")


async def test_an_administrator_may_do_everything(client: httpx2.AsyncClient) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    spec = {"resourceAttributes": {"verb": "create", "resource": "virtualservices"}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["status"]) == (201, {"allowed": True})
    answer = await client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})
    assert answer.json()["status"]["userInfo"] == {"username": "tester", "groups": ["people", "system:masters"]}
    answer = await client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json={})
    assert answer.json()["status"]["resourceRules"][0]["verbs"] == ["*"]
    assert (await client.get(path)).status_code == 405
