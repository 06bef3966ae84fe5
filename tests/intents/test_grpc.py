"""gRPC for callers that speak something else: browsers (gRPC-Web) and JSON."""

import base64
import json
import struct
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import ask, grpc_service, mesh_of, policy

pytestmark = pytest.mark.live

SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [greeter.shop.svc.cluster.local]
  ports: [{number: 9000, name: grpc, protocol: GRPC}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{address: 127.0.0.9}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: grpc-web, protocol: PROTOCOL}, hosts: ["shop.example.com"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http:
    - name: greeter
      route: [{destination: {host: greeter, port: {number: 9000}}}]
---
"""


@pytest.fixture(autouse=True)
def greeter(mini: MiniMesh) -> Iterator[None]:
    """A gRPC service that sends back what it gets."""
    with grpc_service(mini, "shop.Greeter", Greet=grpc.unary_unary_rpc_method_handler(lambda request, _: request)):
        yield


def descriptors() -> str:
    field = FieldDescriptorProto(name="user_name", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    file = FileDescriptorProto(name="greeter.proto", package="shop", syntax="proto3")
    file.message_type.append(DescriptorProto(name="Greeting", field=[field]))
    service = file.service.add(name="Greeter")
    service.method.add(name="Greet", input_type=".shop.Greeting", output_type=".shop.Greeting")
    return base64.b64encode(FileDescriptorSet(file=[file]).SerializeToString()).decode()


def test_a_browser_calls_grpc_through_a_gateway(mini: MiniMesh):
    mini.serve(mesh_of(SERVICE.replace("PROTOCOL", "GRPC-Web")))
    message = b"\x0a\x03bob"
    body = struct.pack(">BI", 0, len(message)) + message
    kind = "application/grpc-web+proto"

    def call() -> bytes:
        return ask(mini, "POST", "/shop.Greeter/Greet", body=body, edge=True, content_type=kind, x_grpc_web="1").body

    until(lambda: call().startswith(body))
    assert b"grpc-status:0" in call()[len(body) :]


@pytest.mark.parametrize("target", ["{group: networking.istio.io, kind: Gateway, name: edge}",
                                    "{kind: VirtualService, name: shop, sectionName: greeter}"])  # fmt: skip
def test_a_caller_of_json_calls_grpc(target: str, mini: MiniMesh):
    spec = f"""
  targetRefs: [{target}]
  grpcJson: {{services: [shop.Greeter], autoMapping: true, descriptors: {descriptors()}}}
"""
    name = "routed" if "section" in target else "edge"
    mini.serve(mesh_of(SERVICE.replace("PROTOCOL", "HTTP") + policy("Transformation", spec, name)))
    kind = {"content_type": "application/json"}
    said = json.dumps({"userName": "bob"}).encode()
    until(lambda: ask(mini, "POST", "/shop.Greeter/Greet", body=said, edge=True, **kind).status == 200)
    assert ask(mini, "POST", "/shop.Greeter/Greet", body=said, edge=True, **kind).seen == {"userName": "bob"}
    wrong = ask(mini, "POST", "/shop.Greeter/Greet", body=b'{"userName": [1]}', edge=True, **kind)
    assert wrong.status == 400


def test_json_has_the_names_and_defaults_that_are_wanted(mini: MiniMesh):
    said = "printDefaults: true, preserveFieldNames: true, ignoreUnknownQueryParameters: true"
    spec = f"""
  targetRefs: [{{group: networking.istio.io, kind: Gateway, name: edge}}]
  grpcJson: {{services: [shop.Greeter], autoMapping: true, {said}, descriptors: {descriptors()}}}
"""
    mini.serve(mesh_of(SERVICE.replace("PROTOCOL", "HTTP") + policy("Transformation", spec, "named")))
    kind = {"content_type": "application/json"}
    path = "/shop.Greeter/Greet?unknown=1"
    until(lambda: ask(mini, "POST", path, body=b"{}", edge=True, **kind).status == 200)
    assert ask(mini, "POST", path, body=b"{}", edge=True, **kind).seen == {"user_name": ""}
