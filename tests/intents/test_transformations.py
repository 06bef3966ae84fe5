"""Transformations, compression and the cache, in real Envoys."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import JSON, REVIEWS, always, ask, grpc_service, mesh_of, policy
from weft._pb.envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

pytestmark = pytest.mark.live

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["shop.example.com"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http:
    - name: reviews
      route: [{destination: {host: ratings, port: {number: 9080}}}]
---
"""


def test_requests_are_changed_before_the_application_and_responses_after_it(mini: MiniMesh):
    spec = f"""
  targetRefs: [{REVIEWS}]
  request:
    headers: {{set: {{x-user: "u-%REQ(x-id)%"}}, setIfAbsent: {{x-here: default}}, remove: [x-secret]}}
    path: /elsewhere
    method: PATCH
    body:
      set:
        - {{path: user.name, value: bob}}
        - {{path: total, value: 12345678901234567890}}
        - {{path: 'dotted\\.key', value: [1, null, true]}}
      remove: [user.password, absent.field]
  response:
    headers: {{add: {{x-said: "100%%"}}}}
    status: 202
"""
    mini.serve(mesh_of(policy("Transformation", spec, "whole")))
    always(lambda: ask(mini, "POST", body=b"{}", **JSON).status == 202)
    body = b'{ "user": {"password":"p","p\\u0061ssword":"q","id": 9007199254740993}, "n":1.50 }'
    got = ask(mini, "POST", "/x?a=1", body=body, x_id="7", x_secret="s", x_here="mine", **JSON)
    assert got.seen["path"] == "/elsewhere?a=1"
    assert got.headers["x-said"] == "100%"
    seen = got.seen["headers"]
    assert (seen["x-user"], seen["x-here"], "x-secret" in seen) == ("u-7", "mine", False)
    changed = got.seen["body"]
    assert changed == (
        '{"user":{"id":9007199254740993,"name":"bob"},"n":1.50,"total":12345678901234567890,"dotted.key":[1,null,true]}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[1,2]",
        b'{"a":',
        b'{"a":1} trailing',
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"\xff\xfe",
        b'{"a":"' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_body_that_cannot_be_changed_passes_as_it_is(body: bytes, mini: MiniMesh):
    spec = f"  targetRefs: [{REVIEWS}]\n  request: {{body: {{set: [{{path: b, value: 1}}]}}}}\n"
    mini.serve(mesh_of(policy("Transformation", spec, "odd")))
    always(lambda: ask(mini, "POST", body=b"{}", **JSON).seen["body"] == '{"b":1}')
    if body == b"\xff\xfe":
        return
    assert ask(mini, "POST", body=body, **JSON).seen["body"] == body.decode()


def test_a_template_takes_the_place_of_a_response(mini: MiniMesh):
    spec = """
  selector: {matchLabels: {app: reviews}}
  response:
    body:
      template: '{"who": "${application}", "deep": "${headers.x-id}", "none": "${a.b}", "literal": "$${x}"}'
      contentType: application/json
"""
    mini.serve(mesh_of(policy("Transformation", spec, "template")))
    always(lambda: "who" in ask(mini).seen)
    got = ask(mini, x_id='a"b')
    said = json.loads(got.body)
    assert said["who"].startswith("reviews")
    assert (said["deep"], said["none"], said["literal"]) == ('a"b', "", "${x}")
    assert int(got.headers["content-length"]) == len(got.body)


def test_a_rule_of_a_route_has_its_own(mini: MiniMesh):
    routes = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
    - name: special
      match: [{uri: {prefix: /special}}]
      route: [{destination: {host: reviews}}]
    - route: [{destination: {host: reviews}}]
---
"""
    spec = """
  targetRefs: [{kind: VirtualService, name: reviews, sectionName: special}]
  request: {headers: {set: {x-rule: special}}}
  lua:
    inlineCode: |
      function envoy_on_response(handle)
        handle:headers():add("x-lua", "special")
      end
"""
    mini.serve(mesh_of(routes + policy("Transformation", spec, "ruled")))
    always(lambda: "headers" in ask(mini).seen)
    assert ask(mini, path="/special").seen["headers"]["x-rule"] == "special"
    assert ask(mini, path="/special").headers["x-lua"] == "special"
    other = ask(mini, path="/other")
    assert "x-rule" not in other.seen["headers"]
    assert "x-lua" not in other.headers


def process(requests: Iterator[ProcessingRequest], _: grpc.ServicerContext) -> Iterator[ProcessingResponse]:
    """Adds a header to requests; ``x-stop`` ends one."""
    for request in requests:
        answer = ProcessingResponse()
        if request.HasField("request_body"):
            answer.request_body.response.body_mutation.body = request.request_body.body.upper()
        elif not request.HasField("request_headers"):
            added = answer.response_headers.response.header_mutation.set_headers.add()
            added.header.key, added.header.raw_value = "x-answered", b"yes"
        elif "x-stop" in {one.key for one in request.request_headers.headers.headers}:
            answer.immediate_response.status.code = 429
        else:
            added = answer.request_headers.response.header_mutation.set_headers.add()
            added.header.key, added.header.raw_value = "x-processed", b"yes"
        yield answer


@pytest.fixture
def processor(mini: MiniMesh) -> Iterator[grpc.Server]:
    """A processor in the place of every endpoint outside the mesh."""
    handler = grpc.stream_stream_rpc_method_handler(
        process, ProcessingRequest.FromString, ProcessingResponse.SerializeToString
    )
    with grpc_service(mini, "envoy.service.ext_proc.v3.ExternalProcessor", Process=handler) as served:
        yield served


PROCESSOR = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: processor, namespace: shop}
spec:
  hosts: [processor.shop.svc.cluster.local]
  ports: [{number: 9000, name: grpc, protocol: GRPC}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{address: 127.0.0.9}]
---
"""


@pytest.mark.parametrize(("opened", "status"), [("true", 200), ("false", 500)])
def test_a_service_processes_requests(opened: str, status: int, mini: MiniMesh, processor: grpc.Server):
    spec = f"""
  targetRefs: [{{group: networking.istio.io, kind: Gateway, name: edge}}]
  externalProcessing: {{service: {{name: processor, port: 9000}}, failOpen: {opened}, timeout: 10s}}
"""
    mini.serve(mesh_of(GATEWAY + PROCESSOR + policy("Transformation", spec, f"processed-{opened}")))
    until(lambda: "x-processed" in ask(mini, edge=True).seen["headers"])
    assert ask(mini, edge=True, x_stop="1").status == 429
    processor.stop(None).wait()
    until(lambda: ask(mini, edge=True).status == status)


def test_a_service_gets_as_much_of_a_request_as_is_said_and_answers_in_time(mini: MiniMesh, processor: grpc.Server):
    spec = """
  targetRefs: [{group: networking.istio.io, kind: Gateway, name: edge}]
  externalProcessing:
    service: {name: processor, namespace: shop, port: 9000}
    timeout: 5s
    request: {headers: false, body: Buffered}
    response: {headers: true}
"""
    mini.serve(mesh_of(GATEWAY + PROCESSOR + policy("Transformation", spec, "parts")))
    until(lambda: ask(mini, edge=True).headers.get("x-answered") == "yes")
    got = ask(mini, "POST", edge=True, body=b"said")
    assert (got.seen["body"], got.headers["x-answered"]) == ("SAID", "yes")
    assert "x-processed" not in got.seen["headers"]


def test_a_body_that_is_longer_than_may_be_kept_passes_as_it_is(mini: MiniMesh):
    spec = f"  targetRefs: [{REVIEWS}]\n  request: {{body: {{set: [{{path: b, value: 1}}], maxBytes: 20}}}}\n"
    mini.serve(mesh_of(policy("Transformation", spec, "short")))
    always(lambda: ask(mini, "POST", body=b"{}", **JSON).seen["body"] == '{"b":1}')
    long = json.dumps({"a": "x" * 30})
    assert ask(mini, "POST", body=long.encode(), **JSON).seen["body"] == long


def test_a_gateway_compresses_what_its_callers_accept(mini: MiniMesh):
    spec = """
  targetRefs: [{group: networking.istio.io, kind: Gateway, name: edge}]
  algorithms: [zstd, brotli, gzip]
  minBytes: 100
  contentTypes: [application/json]
  decompressRequests: true
"""
    mini.serve(mesh_of(GATEWAY + policy("Compression", spec, "small")))
    sends = "content-type=application/json"
    until(lambda: "content-encoding" in ask(mini, edge=True, accept_encoding="gzip", x_app_sends=sends).headers)
    got = ask(mini, edge=True, accept_encoding="gzip", x_app_sends=sends)
    assert json.loads(gzip.decompress(got.body))["application"].startswith("ratings")
    assert "accept-encoding" in got.headers["vary"].lower()
    for encoding in ("br", "zstd"):
        said = ask(mini, edge=True, accept_encoding=encoding, x_app_sends=sends).headers
        assert said["content-encoding"] == encoding
    best = ask(mini, edge=True, accept_encoding="gzip, br, zstd", x_app_sends=sends).headers
    assert best["content-encoding"] == "zstd"
    assert "content-encoding" not in ask(mini, edge=True, x_app_sends=sends).headers
    plain = ask(mini, edge=True, accept_encoding="gzip", x_app_sends="content-type=image/png").headers
    assert "content-encoding" not in plain
    posted = ask(mini, "POST", edge=True, body=gzip.compress(b'{"a":1}'), content_encoding="gzip", **JSON)
    assert posted.seen["body"] == '{"a":1}'


@pytest.mark.parametrize("kind", ["Compression", "ResponseCache"])
def test_proxies_are_chosen_by_labels(kind: str, mini: MiniMesh, tmp_path: Path):
    chosen = "  selector: {matchLabels: {istio: edge}}\n"
    compression = policy("Compression", chosen + "  algorithms: [gzip]\n  minBytes: 30\n", "chosen")
    cache = policy("ResponseCache", f"{chosen}  directory: {tmp_path}\n", "chosen")
    mini.serve(mesh_of(GATEWAY + {"Compression": compression, "ResponseCache": cache}[kind]))
    sends = "content-type=application/json|cache-control=max-age=60"

    def gets() -> bool:
        headers = ask(mini, path="/chosen", edge=True, accept_encoding="gzip", x_app_sends=sends).headers
        return ("content-encoding" if kind == "Compression" else "age") in headers

    until(gets)


def test_a_compressed_request_that_grows_without_end_is_cut_off(mini: MiniMesh):
    spec = """
  targetRefs: [{group: networking.istio.io, kind: Gateway, name: edge}]
  decompressRequests: true
"""
    mini.serve(mesh_of(GATEWAY + policy("Compression", spec, "bomb")))
    until(lambda: ask(mini, "POST", edge=True, body=gzip.compress(b"{}"), content_encoding="gzip").seen["body"] == "{}")
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = compressor.compress(b"\0" * 20_000_000) + compressor.flush()
    got = ask(mini, "POST", edge=True, body=bomb, content_encoding="gzip")
    assert len(got.seen["body"]) <= 101 * len(bomb) < 20_000_000


def test_a_gateway_answers_from_its_cache(mini: MiniMesh, tmp_path: Path):
    spec = f"""
  targetRefs: [{{group: networking.istio.io, kind: Gateway, name: edge}}]
  directory: {tmp_path}
  varyHeaders: [accept-language]
"""
    mini.serve(mesh_of(GATEWAY + policy("ResponseCache", spec, "kept")))
    calls = iter(range(1000))

    def get(path: str, sends: str, **more: str) -> bool:
        """Whether the application was asked."""
        number = f"cache-{next(calls)}"
        got = ask(mini, "GET", path, edge=True, x_call=number, x_app_sends=sends, **more)
        assert got.status == 200
        return bool(mini.notes.of(number))

    kept = "cache-control=max-age=60"
    asked = [get("/kept2", kept) for _ in range(3)]
    assert asked[0]
    until(lambda: not get("/kept2", kept))
    assert get("/kept2", kept, cache_control="no-cache")
    assert all(get("/private", "cache-control=private") for _ in range(3))
    assert all(get("/nothing", "") for _ in range(3))
    assert all(get("/varied", kept + "|vary=x-tenant") for _ in range(3))


def test_no_caller_passes_a_cache_that_is_told_so(mini: MiniMesh, tmp_path: Path):
    spec = f"""
  targetRefs: [{{group: networking.istio.io, kind: Gateway, name: edge}}]
  directory: {tmp_path}
  maxBytes: 2000000
  ignoreRequestCacheControl: true
"""
    mini.serve(mesh_of(GATEWAY + policy("ResponseCache", spec, "small")))
    calls = iter(range(1000))

    def asked(path: str, **more: str) -> bool:
        number = f"small-{next(calls)}"
        assert ask(mini, "GET", path, edge=True, x_call=number, x_app_sends="cache-control=max-age=60", **more).status
        return bool(mini.notes.of(number))

    until(lambda: not asked("/kept"))
    assert not asked("/kept", cache_control="no-cache")
