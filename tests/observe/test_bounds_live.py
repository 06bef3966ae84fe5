"""What callers make up costs a real Envoy little memory: hosts, paths and names of workloads without end."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.protobuf.json_format import MessageToDict

import weft.compiler.resources  # noqa: F401  JSON of an Any needs the class inside it
from bench import static
from bench.servers import envoy_command, running, wait_for
from weft.agent.reporting import buckets, counted
from weft.compiler.telemetry.metrics import calls_in
from weft.compiler.telemetry.peers import noting
from weft.model.reporting import PEER_HEADER

pytestmark = pytest.mark.live
_BEFORE, _FIRST, _THEN = 50, 4_000, 12_000


def _bootstrap(port: int) -> Any:
    """A listener of peers, whose calls say whose they are."""
    made = static._bootstrap(port, {"direct_response": {"status": 200}})
    (chain,) = made["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    loggers = calls_in("reviews.shop.svc.cluster.local")
    manager["access_log"] = [MessageToDict(one, preserving_proto_field_name=True) for one in loggers]
    manager["http_filters"].insert(0, MessageToDict(noting(), preserving_proto_field_name=True))
    stats = {"stats_matcher": {"inclusion_list": {"patterns": counted()}}, "histogram_bucket_settings": buckets()}
    return made | {"stats_config": stats}


def _ask(connection: socket.socket, first: int, count: int) -> None:
    """So many requests, none like another, one after the other."""
    for number in range(first, first + count):
        connection.sendall(
            f"GET /{number} HTTP/1.1\r\nhost: host-{number}.example.com\r\n"
            f"{PEER_HEADER}: workload-{number};shop;app-{number};v1;Kubernetes\r\n\r\n".encode()
        )
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_names_without_end_cost_a_proxy_twenty_megabytes_at_most(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with running("bounded", envoy_command("bounded", _bootstrap(port), tmp_path), tmp_path) as process:
        wait_for(port, process)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            _ask(connection, 0, _BEFORE)
            memory = psutil.Process(process.pid).memory_info
            before = memory().rss
            _ask(connection, _BEFORE, _FIRST)
            full = memory().rss
            _ask(connection, _BEFORE + _FIRST, _THEN)
            after = memory().rss
    assert full - before < 20_000_000, full - before
    assert after - full < 1_000_000
