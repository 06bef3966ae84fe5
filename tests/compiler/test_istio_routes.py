"""Istio's own cases of a VirtualService's routes: the same documents give the same routes."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from tests.compiler.istio_data import cases
from weft.compiler.routes import envoy_route
from weft.dialects.translate import fragment_of
from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.route import RouteTable
from weft.model.service import Port, Protocol, Service
from weft.model.settings import Settings
from weft.view.index import index_of
from weft.view.routes import destinations_of, routes_of
from weft.view.scope import Scope

# What is not said by a case's VirtualService: another document that is not in the data, or a Gateway API route.
_OF_OTHERS = ("clusterNotFoundResponseCode", "appendXForwardedHost", "hashPolicy")


@pytest.mark.parametrize("case", cases("routes/vs_to_routes.jsonl"))
def test_routes_are_istios(case):
    said = [(route, _of_this_document(route)) for route in case["routes"]]
    table = _table(case)
    if table is None:
        assert not any(route.keys() & {"route", "redirect", "directResponse"} for route, _ in said) or case[
            "test"
        ].endswith(_REFUSED), "weft refuses what Istio routes"
        return
    assert [_of_this_document(one) for one in _ours(case, table)] == [compared(route) for _, route in said]


_REFUSED = "func35"


def _of_this_document(route: dict[str, Any]) -> dict[str, Any]:
    """A route without what other documents make of it: Gateway API, filters, the hashing of a DestinationRule."""
    route = json.loads(json.dumps(route))
    action = route.get("route", {})
    if "hashPolicy" in action:
        action["retryPolicy"]["retryHostPredicate"] = [{"name": "envoy.retry_host_predicates.previous_hosts"}]
    for name in _OF_OTHERS:
        action.pop(name, None)
    route.get("typedPerFilterConfig", {}).pop("envoy.filters.http.ext_proc", None)
    if not route.get("typedPerFilterConfig", True):
        del route["typedPerFilterConfig"]
    return route


def _table(case: dict[str, Any]) -> RouteTable | None:
    """The case's document, bound to the mesh's sidecars instead of its gateway; none if it is refused."""
    spec = case["virtual_service"]
    text = json.dumps(spec | {"hosts": spec.get("hosts") or ["acme.example.org"]})
    for gateway in case["gateways"] or []:
        text = text.replace(json.dumps(gateway), '"mesh"')
    content = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": case["name"], "namespace": "default"},
        "spec": json.loads(text),
    }
    key = Key(kind="VirtualService", name=case["name"], namespace="default", group="networking.istio.io")
    document = Document(key=key, content=json.dumps(content).encode())
    fragment = fragment_of(document, Settings(domain_suffix=case["proxy"]["dnsDomain"]))
    if not fragment.route_tables:
        assert fragment.findings
        return None
    return fragment.route_tables[0]


def _ours(case: dict[str, Any], table: RouteTable) -> list[Any]:
    mesh = Mesh(services={host: _service(host, said, table) for host, said in case["services"].items()})
    scope = Scope(namespace=case["proxy"]["metadata"]["NAMESPACE"], labels=labels_of(case["proxy"]["labels"]))
    index, port = index_of(mesh), case["listen_port"]
    book = tuple(index.resolve(scope, destination, port) for destination in destinations_of(table.http))
    found = routes_of(table.http, scope, port, book, mesh.settings.default_retries)
    return [compared(MessageToDict(envoy_route(route, port))) for route in found]


def _service(host: str, said: dict[str, Any], table: RouteTable) -> Service:
    ports = (Port(number=one["port"], name=one["name"], protocol=Protocol(one["protocol"])) for one in said["ports"])
    return Service(host=host, name=host, namespace="default", origin=table.origin, ports=tuple(ports))


def compared(route: dict[str, Any]) -> dict[str, Any]:
    """A route without what only describes it, and with the several spellings of one meaning made one."""
    route = json.loads(json.dumps(route))
    route.pop("metadata", None)
    route.pop("decorator", None)
    action = route.get("route", {})
    action.pop("maxGrpcTimeout", None)
    action.pop("maxStreamDuration", None)
    for predicate in action.get("retryPolicy", {}).get("retryHostPredicate", []):
        predicate.pop("typedConfig", None)
    if route["match"].get("caseSensitive") is True:
        del route["match"]["caseSensitive"]
    route.get("directResponse", {}).pop("body", None)
    return route
