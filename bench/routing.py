"""One cold run of documents to a gateway's resources with many routes, in a process of its own.

``python -m bench.routing KIND TABLES RULES REPEATS`` prints JSON: milliseconds of CPU of each step, cold and after
changes of one route. KIND is ``VirtualService`` or ``HTTPRoute``.
"""

import json
import sys
from typing import Any

from bench.compiling import all_steps, document_of
from weft.model.document import Document
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.view.node import GatewayPlace, Node

SERVICES = 100
VIRTUAL_SERVICE, HTTP_ROUTE = "VirtualService", "HTTPRoute"
_NAMESPACE = "bench"
_GATEWAY_API = "gateway.networking.k8s.io"


def documents(tables: int, rules: int) -> list[Document]:
    """A gateway for every host, services, and so many VirtualServices of so many rules on it."""
    return [_gateway(), *(_service(number) for number in range(SERVICES)), *(table(n, rules) for n in range(tables))]


def documents_of_routes(tables: int, rules: int) -> list[Document]:
    """The same of Gateway API."""
    services = (_service(number) for number in range(SERVICES))
    return [_listener(), *services, *(http_route(number, rules) for number in range(tables))]


def _listener() -> Document:
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    spec = {"gatewayClassName": "weft", "listeners": listeners}
    return document_of(f"{_GATEWAY_API}/v1", "Gateway", "edge", spec)


def http_route(number: int, rules: int, changed: str = "") -> Document:
    """One host's rules; ``changed`` is a header that the last of them sets."""
    every = [_http_rule(number, index) for index in range(rules)]
    if changed:
        edit = {"set": [{"name": "x-changed", "value": changed}]}
        every[-1]["filters"] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": edit}]
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": [f"host-{number}.example.com"], "rules": every}
    return document_of(f"{_GATEWAY_API}/v1", HTTP_ROUTE, f"table-{number}", spec)


def _http_rule(number: int, index: int) -> dict[str, Any]:
    match = {"path": {"type": "PathPrefix", "value": f"/api/v1/path-{index}"}, "method": "GET"}
    backend = {"name": f"service-{(number + index) % SERVICES}", "port": 9080}
    return {"matches": [match], "backendRefs": [backend], "timeouts": {"request": "5s"}}


def _gateway() -> Document:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    return document_of("networking.istio.io/v1", "Gateway", "edge", {"selector": {"app": "edge"}, "servers": [server]})


def _service(number: int) -> Document:
    port = {"name": "http", "port": 9080, "targetPort": 9080, "appProtocol": "http", "protocol": "TCP"}
    return document_of(
        "v1", "Service", f"service-{number}", {"selector": {"app": f"service-{number}"}, "ports": [port]}
    )


def table(number: int, rules: int, changed: str = "") -> Document:
    """One host's rules; ``changed`` is a header that the last of them sets."""
    http = [_rule(number, index) for index in range(rules)]
    if changed:
        http[-1]["headers"] = {"request": {"set": {"x-changed": changed}}}
    spec = {"hosts": [f"host-{number}.example.com"], "gateways": ["edge"], "http": http}
    return document_of("networking.istio.io/v1", "VirtualService", f"table-{number}", spec)


def _rule(number: int, index: int) -> dict[str, Any]:
    destination = {"host": f"service-{(number + index) % SERVICES}", "port": {"number": 9080}}
    match = {"uri": {"prefix": f"/api/v1/path-{index}"}, "method": {"exact": "GET"}}
    return {"match": [match], "route": [{"destination": destination}], "timeout": "5s"}


def gateway() -> Node:
    """The proxy."""
    identity = Identity(trust_domain=Settings().trust_domain, namespace=_NAMESPACE, account="edge")
    return Node(
        id=f"edge.{_NAMESPACE}", namespace=_NAMESPACE, workload="edge", identity=identity,
        labels=(("app", "edge"), (f"{_GATEWAY_API}/gateway-name", "edge")), gateway=GatewayPlace(bind="127.0.0.1"),
    )  # fmt: skip


def main(kind: str, tables: int, rules: int, repeats: int) -> None:
    """Compile, change a route, compile again."""
    documents_like, route = (documents_of_routes, http_route) if kind == HTTP_ROUTE else (documents, table)
    node, every = gateway(), documents_like(tables, rules)
    cold, first = all_steps(every, node, 1)
    changed = list[dict[str, float]]()
    for turn in range(repeats):
        every[-1] = route(tables - 1, rules, changed=f"turn-{turn}")
        taken, _ = all_steps(every, node, turn + 2)
        changed.append(taken)
    size = {"kind": kind, "tables": tables, "rules": rules, "bytes": sum(len(item.body) for item in first.resources)}
    print(json.dumps({"cold": cold, "changed": changed, "size": size}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
