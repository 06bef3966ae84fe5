"""``weft audit``: who did what, and that the log of it is whole."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.api.conftest import wait_for
from tests.cli.conftest import Running, Weft, joined, run_weft, serving
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.observe.access_logs import METHOD
from weft.observe.decisions import LOG
from weft.observe.shipping.destination import Destination

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: audited, namespace: shop-of-the-audit}
spec: {ports: [{port: 80, name: http}]}
"""


def test_what_was_done_is_found_by_who_and_what(weft: Weft, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(SERVICE)
    assert weft("apply", "-f", str(tmp_path / "service.yaml")).code == 0
    assert weft("delete", "service", "audited", "-n", "shop-of-the-audit").code == 0
    found = json.loads(weft("audit", "--what", "shop-of-the-audit/audited", "--since", "1h", "-o", "json").out)["items"]
    assert next(entry["verb"] for entry in found) == "delete"
    assert {entry["verb"] for entry in found} <= {"delete", "patch", "create", "update"}
    assert {entry["who"] for entry in found} == {"weft:admin"}
    shown = weft("audit", "--who", "weft:admin", "--what", "delete").out
    assert "delete services shop-of-the-audit/audited" in shown
    nobody = weft("audit", "--who", "nobody-of-this-name")
    assert (nobody.code, nobody.out) == (0, "")


def test_a_line_that_was_altered_is_told_with_its_place(weft: Weft, control_plane: Running) -> None:
    weft("auth", "token", "create", "--user", "somebody")
    assert "each as it was written" in weft("audit", "verify").out
    file = max(control_plane.state.audit.glob("*.jsonl"))
    content = file.read_bytes()
    try:
        file.write_bytes(content.replace(b"weft:admin", b"weft:nobody", 1))
        broken = weft("audit", "verify")
        assert broken.code != 0
        assert f"{file.name}, line" in broken.err
    finally:
        file.write_bytes(content)


class Collector:
    """A syslog server on a thread that keeps what it got."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.destination = Destination(scheme="syslog+tcp", host="127.0.0.1", port=self._listener.getsockname()[1])
        self.content = b""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while piece := connection.recv(65536):
                self.content += piece

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


@pytest.fixture(scope="module")
def shipping(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("shipping"), audit_ships=(collector.destination,)) as running:
        yield running


def _refusal(path: str) -> bytes:
    made = StreamAccessLogsMessage()
    made.identifier.node.id = "reviews-v1.shop"
    made.identifier.log_name = LOG
    entry = made.http_logs.log_entry.add()
    entry.request.request_method = 1
    entry.request.authority, entry.request.path = "reviews:9080", path
    entry.response.response_code.value = 403
    entry.response.response_code_details = "rbac_access_denied_matched_policy[ns[shop]-policy[no-web]-rule[0]]"
    names = entry.common_properties.tls_properties.peer_certificate_properties.subject_alt_name
    names.add().uri = "spiffe://cluster.local/ns/shop/sa/web"
    return made.SerializeToString()


def test_what_a_proxy_refused_is_in_the_log_and_shipped(
    shipping: Running, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_STATE", str(shipping.state.root))
    pair = joined(shipping, "shop", "reviews")
    credentials = grpc.ssl_channel_credentials(shipping.state.bundle.read_bytes(), pair.key_pem, pair.pem)
    with grpc.secure_channel(shipping.addresses.xds, credentials) as channel:
        channel.stream_unary(METHOD)(iter([_refusal("/admin"), _refusal("/admin"), _refusal("/other")]), timeout=10)
    found = json.loads(run_weft("audit", "--what", "decision DENY", "--who", "sa/web", "-o", "json").out)["items"]
    assert [(one["name"], one["path"], one["outcome"]) for one in found] == [
        ("no-web", "/other", "denied"),
        ("no-web", "/admin", "denied"),
    ]
    shown = run_weft("audit", "--what", "shop/no-web").out
    assert "decision DENY authorizationpolicies shop/no-web GET reviews:9080/admin" in shown
    assert "each as it was written" in run_weft("audit", "verify").out
    wait_for(lambda: b'"path":"/other"' in collector.content)
    told = run_weft("audit", "shipping").out
    assert collector.destination.told in told
