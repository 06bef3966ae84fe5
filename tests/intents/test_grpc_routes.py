"""GRPCRoute and access by an authorizer of gRPC, with real clients and services of gRPC."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from tests.intents.intent import SETTINGS
from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import always, ask, grpc_service, mesh_of
from weft._pb.envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from weft.model.provider import Authorizer, ExtensionProvider

pytestmark = pytest.mark.live

DOCUMENTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: weft
  listeners:
    - {name: all, port: 80, protocol: HTTP, hostname: "*.example.com"}
    - {name: narrow, port: 80, protocol: HTTP, hostname: narrow.example.com}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: all}]
  rules:
    - name: listed
      matches: [{method: {service: shop.Reviews, method: List}}]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier:
            {set: [{name: x-set, value: new}], add: [{name: x-added, value: more}], remove: [x-gone]}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-answered, value: "yes"}]}}
      backendRefs: [{name: one, port: 9000}]
    - matches: [{method: {service: shop.Reviews}, headers: [{name: version, value: two}]}]
      backendRefs: [{name: two, port: 9000}]
    - matches: [{method: {method: Share}}]
      backendRefs: [{name: one, port: 9000, weight: 3}, {name: two, port: 9000, weight: 1}]
    - matches: [{method: {method: None}}]
      backendRefs: [{name: one, port: 9000, weight: 0}]
    - matches: [{method: {method: Gone}}]
      backendRefs: [{name: gone, port: 9000}]
    - matches: [{method: {method: Half}}]
      backendRefs: [{name: gone, port: 9000}, {name: one, port: 9000}]
    - matches: [{method: {method: Extended}}]
      filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: Auth, name: own}}]
      backendRefs: [{name: one, port: 9000}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: narrow, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: narrow}]
  rules: [{backendRefs: [{name: two, port: 9000}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: mesh, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: one, port: 9000}]
  rules:
    - matches: [{method: {method: Share}}]
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: mesh}]}}]
      backendRefs: [{name: one, port: 9000}, {name: two, port: 9000}]
    - backendRefs: [{name: two, port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: one, namespace: shop}
spec: {selector: {app: one}, ports: [{name: grpc, port: 9000}]}
---
apiVersion: v1
kind: Service
metadata: {name: two, namespace: shop}
spec: {selector: {app: two}, ports: [{name: grpc, port: 9000}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: grpc-one, namespace: shop}
spec: {address: 10.0.0.71, labels: {app: one}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: grpc-two, namespace: shop}
spec: {address: 10.0.0.72, labels: {app: two}}
"""


class Named(grpc.GenericRpcHandler):
    """Answers every method with its own name and the metadata that it got."""

    def __init__(self, name: str) -> None:
        self._name = name

    def service(self, details: Any) -> Any:
        metadata = dict(details.invocation_metadata)
        said = f"{self._name} {metadata.get('x-set')} {metadata.get('x-added')} {metadata.get('x-gone')}"
        return grpc.unary_unary_rpc_method_handler(lambda _, __: said.encode())


@contextmanager
def named(name: str) -> Iterator[int]:
    served = grpc.server(ThreadPoolExecutor(4))
    served.add_generic_rpc_handlers((Named(name),))
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    yield port
    served.stop(None).wait()


@pytest.fixture(scope="module")
def mini(mini: MiniMesh) -> Iterator[MiniMesh]:
    with ExitStack() as stack:
        for name in ("one", "two"):
            mini.applications[f"grpc-{name}"] = stack.enter_context(named(name))
        mini.serve(mesh_of(DOCUMENTS, may={"W0160", "W0201", "W0270"}))
        yield mini


class Client:
    """A client of gRPC whose calls name a host."""

    def __init__(self, port: int, host: str) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", (("grpc.default_authority", host),))

    def call(self, method: str, **metadata: str) -> str:
        """What was answered, else the status."""
        named = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        try:
            said: bytes = self._channel.unary_unary(f"/{method}")(b"", metadata=named, timeout=10)
        except grpc.RpcError as failed:
            return str(failed.code().name)  # type: ignore[attr-defined]
        return said.decode()

    def answered(self, method: str, **metadata: str) -> tuple[tuple[str, str], ...]:
        """The metadata that an answer begins with."""
        named = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        _, call = self._channel.unary_unary(f"/{method}").with_call(b"", metadata=named, timeout=10)
        return tuple(call.initial_metadata())


@pytest.fixture
def client(mini: MiniMesh) -> Client:
    return Client(mini.edge_port(80), "calls.example.com")


def test_calls_go_by_service_and_method_and_are_changed_on_the_way(client: Client) -> None:
    assert client.call("shop.Reviews/List", x_set="old", x_gone="1") == "one new more None"
    assert ("x-answered", "yes") in client.answered("shop.Reviews/List")


def test_calls_go_by_their_metadata(client: Client) -> None:
    assert client.call("shop.Reviews/Other", version="two").startswith("two")
    assert client.call("shop.Reviews/Other", version="three") == "UNIMPLEMENTED"


def test_calls_are_shared_out_by_weights(client: Client) -> None:
    counts = Counter(client.call("any.Service/Share").split()[0] for _ in range(200))
    assert counts["one"] + counts["two"] == 200
    assert 110 < counts["one"] < 185


@pytest.mark.parametrize("method", ["None", "Gone", "Extended"])
def test_calls_that_have_nowhere_to_go_are_unavailable(method: str, client: Client) -> None:
    assert client.call(f"any.Service/{method}") == "UNAVAILABLE"


def test_the_share_of_a_backend_that_is_not_there_is_unavailable(client: Client) -> None:
    assert {client.call("any.Service/Half").split()[0] for _ in range(40)} == {"one", "UNAVAILABLE"}


def test_each_listener_has_the_calls_of_its_host(mini: MiniMesh) -> None:
    assert Client(mini.edge_port(80), "narrow.example.com").call("shop.Reviews/List").startswith("two")


def test_calls_in_the_mesh_follow_the_rules_of_the_service(mini: MiniMesh) -> None:
    inside = Client(mini.proxy, "one:9000")
    assert {inside.call("any.Service/Share") for _ in range(40)} == {"one mesh None None", "two mesh None None"}
    assert {inside.call("any.Service/Other").split()[0] for _ in range(8)} == {"two"}


ASK = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: asked, namespace: shop}
spec:
  hosts: [asked.example.com]
  ports: [{number: 9000, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.99}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: CUSTOM
  provider: {name: asked}
  rules: [{to: [{operation: {paths: [/guarded*]}}]}]
"""


def check(request: CheckRequest, _: grpc.ServicerContext) -> CheckResponse:
    """Lets pass whoever has the word, and says so to the application."""
    asked = request.attributes.request.http
    answer = CheckResponse()
    if asked.headers.get("x-word") != "open":
        answer.status.code = 7
        answer.denied_response.status.code = 401
        answer.denied_response.body = f"{asked.method} {asked.path} by {request.attributes.source.principal}"
        return answer
    added = answer.ok_response.headers.add()
    added.header.key, added.header.value = "x-checked", "yes"
    return answer


def test_an_authorizer_of_grpc_is_asked_and_what_it_says_holds(mini: MiniMesh) -> None:
    asked = Authorizer(service="asked.example.com", port=9000, timeout=2_000)
    settings = replace(SETTINGS, providers=(ExtensionProvider(name="asked", authorizer=asked),))
    handler = grpc.unary_unary_rpc_method_handler(check, CheckRequest.FromString, CheckResponse.SerializeToString)
    with grpc_service(mini, "envoy.service.auth.v3.Authorization", Check=handler) as served:
        mini.serve(mesh_of(ASK, settings))
        always(lambda: ask(mini, path="/guarded").status == 401)
        refused = ask(mini, path="/guarded/1")
        assert refused.body == b"GET /guarded/1 by spiffe://cluster.local/ns/shop/sa/web"
        let = ask(mini, path="/guarded", x_word="open")
        assert (let.status, let.seen["headers"]["x-checked"]) == (200, "yes")
        assert ask(mini, path="/free").status == 200
        served.stop(None).wait()
        until(lambda: ask(mini, path="/guarded", x_word="open").status == 403)


NAMED = """
apiVersion: v1
kind: Service
metadata: {name: asked, namespace: shop}
spec: {selector: {app: asked}, ports: [{name: grpc, port: 9000}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: asked, namespace: shop}
spec: {address: 10.0.0.99, labels: {app: asked}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews, port: 9080}]
  rules:
    - matches: [{path: {value: /guarded}}]
      filters:
        - type: ExternalAuth
          externalAuth: {protocol: GRPC, backendRef: {name: asked, port: 9000}, grpc: {allowedHeaders: [x-word]}}
      backendRefs: [{name: reviews, port: 9080}]
    - matches: [{path: {value: /deaf}}]
      filters:
        - type: ExternalAuth
          externalAuth: {protocol: GRPC, backendRef: {name: asked, port: 9000}, grpc: {allowedHeaders: [x-other]}}
      backendRefs: [{name: reviews, port: 9080}]
    - backendRefs: [{name: reviews, port: 9080}]
"""


def test_an_authorizer_that_a_route_names_is_asked_and_told_the_headers_that_it_may_know(mini: MiniMesh) -> None:
    handler = grpc.unary_unary_rpc_method_handler(check, CheckRequest.FromString, CheckResponse.SerializeToString)
    with grpc_service(mini, "envoy.service.auth.v3.Authorization", Check=handler) as served:
        mini.serve(mesh_of(NAMED))
        always(lambda: ask(mini, path="/guarded").status == 401)
        let = ask(mini, path="/guarded", x_word="open")
        assert (let.status, let.seen["headers"]["x-checked"]) == (200, "yes")
        assert ask(mini, path="/deaf", x_word="open").status == 401
        assert "x-checked" not in ask(mini, path="/free").seen["headers"]
        served.stop(None).wait()
        until(lambda: ask(mini, path="/guarded", x_word="open").status == 403)
