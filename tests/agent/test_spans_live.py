"""The application's spans pass the sidecar, by both ways of OTLP, in real Envoys."""

import contextlib
import gzip
import http.client
import json
import subprocess
from collections.abc import Iterator

import grpc
import pytest

from tests.compiler.sidecars import Sidecar
from tests.observe.receivers import SPANS, Received, grpc_receiver
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.agent.bootstrap import _grpc_cluster
from weft.agent.spans import spans_listener, with_endpoint
from weft.kit.envoy_binary import find_envoy
from weft.observe.traces.otlp import is_zipped, unzipped

pytestmark = pytest.mark.live
PROTOBUF = {"content-type": "application/x-protobuf"}


def spans() -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    resource.scope_spans.add().spans.add(trace_id=b"a" * 16, span_id=b"b" * 8, name="n" * 3000)
    return request.SerializeToString()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Received, int]]:
    """What the control plane gets, and the port for the application."""
    home = tmp_path_factory.mktemp("envoy")
    with grpc_receiver() as (received, port):
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        bootstrap = {
            "node": {"id": "a", "cluster": "a"},
            "admin": {"address": {"pipe": {"path": str(home / "admin.sock")}}},
            "static_resources": {
                "listeners": [spans_listener(0)],
                "clusters": [{**_grpc_cluster("xds", address), "type": "STATIC"}],
            },
        }
        (home / "bootstrap.json").write_text(json.dumps(bootstrap))
        command = [str(find_envoy().path), "--config-path", str(home / "bootstrap.json"), "--concurrency", "1"]
        log = home / "envoy.log"
        with log.open("wb") as output, subprocess.Popen([*command, "--disable-hot-restart"], stderr=output) as process:
            try:
                sidecar = Sidecar(process, home, log)
                sidecar.wait()
                yield received, int(sidecar.ask("/listeners").rsplit(":", 1)[1])
            finally:
                process.terminate()
                process.wait(5)


def post(port: int, path: str, content: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", path, content, headers)
        return connection.getresponse().status


def test_spans_arrive_by_grpc_and_by_http_zipped_or_not(door: tuple[Received, int]) -> None:
    received, port = door
    assert post(port, "/v1/traces", spans(), PROTOBUF) == 200
    assert post(port, "/v1/traces", gzip.compress(spans()), {**PROTOBUF, "content-encoding": "gzip"}) == 200
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.unary_unary(SPANS)(spans(), timeout=10)
    sent = [content for content, _ in received.of(SPANS)]
    assert [unzipped(one) if is_zipped(one) else one for one in sent] == [spans()] * 3


def test_other_signals_are_told_that_they_are_not_taken(door: tuple[Received, int]) -> None:
    assert post(door[1], "/v1/metrics", b"", PROTOBUF) == 404


def test_an_application_that_says_where_its_spans_go_is_left_alone() -> None:
    said = with_endpoint({"HOME": "/x"}, 4317, "shop")
    assert said == {"HOME": "/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_SERVICE_NAME": "shop"}
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        own = {name: "http://collector:4318"}
        assert with_endpoint(own, 4317, "shop") == own
    named = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"}
    assert "OTEL_SERVICE_NAME" not in with_endpoint(named, 4317, "shop")
