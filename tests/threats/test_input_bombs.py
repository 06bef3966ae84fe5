"""Inputs that are meant to break a reader, at every door: an error soon, little memory, no word of the inside."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hpack import Encoder

from tests.threats.bombs import COMPRESSED, JSON, MB, REQUESTS, TOKENS, YAML, multipart
from tests.threats.plane import AGGREGATED, Answer, Member, Plane

pytestmark = pytest.mark.live
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"
ISTIO = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
INSIDE = (b"Traceback", b'File "', b"site-packages", b"Error(", b"Exception")


@pytest.fixture
def unmoved(attacked: Plane) -> Iterator[Plane]:
    """Afterwards it answers soon, has no exception in its log, and needs not much more memory."""
    before = attacked.memory
    yield attacked
    answer = attacked.ask("GET", "/readyz", token=None)
    assert answer.status == 200, answer
    assert answer.busy < 1
    assert attacked.memory - before < 50 * MB
    attacked.well()


def _is_refusal(answer: Answer, *also: int) -> None:
    assert 400 <= answer.status < 500 or answer.status in (0, *also), answer
    assert answer.busy < 1, answer
    assert not any(word in answer.body for word in INSIDE), answer.body[:500]


@pytest.mark.parametrize("name", YAML)
def test_yaml_to_the_api(name: str, unmoved: Plane) -> None:
    answer = unmoved.ask("POST", CONFIG_MAPS, YAML[name](), Content_Type="application/yaml")
    _is_refusal(answer, *((201,) if name == "old numbers" else ()))
    apply = {"Content_Type": "application/apply-patch+yaml"}
    _is_refusal(unmoved.ask("PATCH", f"{ISTIO}/bomb?fieldManager=m", YAML[name](), **apply))


@pytest.mark.parametrize("name", JSON)
def test_json_to_the_api(name: str, unmoved: Plane) -> None:
    for path in (CONFIG_MAPS, ISTIO, "/weft/v1/tokens", "/weft/v1/explain", "/weft/v1/diff"):
        _is_refusal(unmoved.ask("POST", path, JSON[name]()), 200)
    _is_refusal(unmoved.ask("PATCH", f"{ISTIO}/none", JSON[name](), Content_Type="application/json-patch+json"))


@pytest.mark.parametrize("name", JSON)
def test_json_to_the_agents_port(name: str, unmoved: Plane, rogue: Member) -> None:
    doors = (("POST", "/v1/join"), ("POST", "/v1/renew"), ("PUT", "/v1/workloads/x"), ("PUT", "/v1/authority"))
    for method, path in (*doors, ("POST", "/v1/start"), ("PUT", "/v1/breakers/x")):
        _is_refusal(unmoved.tell(method, path, JSON[name](), rogue))
    _is_refusal(unmoved.tell("POST", "/v1/join", JSON[name]()))


@pytest.mark.parametrize("name", COMPRESSED)
def test_what_is_compressed_is_not_unpacked(name: str, unmoved: Plane, rogue: Member) -> None:
    encoding, body = COMPRESSED[name]()
    _is_refusal(unmoved.ask("POST", CONFIG_MAPS, body, Content_Encoding=encoding))
    _is_refusal(unmoved.tell("POST", "/v1/renew", body, rogue, **{"Content-Encoding": encoding}))


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_for_certificates(name: str, unmoved: Plane, rogue: Member) -> None:
    said = {"csr": REQUESTS[name]().decode("latin-1")}
    _is_refusal(unmoved.tell("POST", "/v1/renew", said, rogue))
    _is_refusal(unmoved.tell("POST", "/v1/join", {"token": "x", **said}))


@pytest.mark.parametrize("name", TOKENS)
def test_credentials(name: str, unmoved: Plane) -> None:
    token = TOKENS[name]()
    _is_refusal(unmoved.ask("GET", "/api", token=token))
    _is_refusal(unmoved.tell("POST", "/v1/join", {"token": token, "csr": "x"}))


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("limit=" + "9" * 10_000, {}),
        ("labelSelector=" + "a%20in%20(" + "b," * 3_000 + "c)", {}),
        ("labelSelector=" + "!" * 5_000, {}),
        ("labelSelector=((((((", {}),
        ("fieldSelector=" + "a=b," * 3_000, {}),
        ("resourceVersion=-1", {}),
        ("continue=" + "A" * 5_000, {}),
        ("x=" + "&x=" * 10_000, {}),
        ("%00=%ff", {}),
        ("", {"Range": "bytes=" + ",".join(f"{n}-" for n in range(10_000))}),
        ("", {"Accept": ",".join(f"text/a{n};q=0.{n}" for n in range(5_000))}),
        ("", {"Content_Type": "application/json; charset=" + "x" * 5_000}),
        ("", {"Impersonate_User": "\x1b[31m" * 500}),
        ("", {"User_Agent": "\x1b]0;owned\x07" + "é" * 1_000}),
        ("timeoutSeconds=999999999999999999999", {}),
    ],
)
def test_queries_and_headers(query: str, headers: dict[str, str], unmoved: Plane) -> None:
    sent = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
    _is_refusal(unmoved.ask("GET", f"{ISTIO}?{query}", **sent), 200)


def test_a_form_of_many_parts_is_not_read(unmoved: Plane) -> None:
    _is_refusal(unmoved.ask("POST", CONFIG_MAPS, multipart(40_000), Content_Type="multipart/form-data; boundary=b"))


RAW: dict[str, Callable[[], bytes]] = {
    "a header of 30 MB": lambda: b"GET / HTTP/1.1\r\nx: " + b"y" * 30 * MB,
    "a hundred thousand headers": lambda: b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1_000_000,
    "a line of 30 MB": lambda: b"GET /" + b"a" * 30 * MB,
    "a method of 30 MB": lambda: b"A" * 30 * MB,
    "an extension of 30 MB": lambda: (
        b"POST /v1/join HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"a" * 30 * MB
    ),
    "a trailer of 30 MB": lambda: (
        b"POST /v1/join HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 30 * MB
    ),
    "a body of 1 GB": lambda: (
        b"POST /v1/join HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n" + b" " * 30 * MB
    ),
    "a length below nothing": lambda: b"POST /v1/join HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    "a length beyond numbers": lambda: (
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: " + b"9" * 40 + b"\r\n\r\n"
    ),
    "chunks without an end": lambda: (
        b"POST /v1/join HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"100000\r\n"
        + b" " * 0x100000
        + b"\r\n" * 1
        + b"".join(b"100000\r\n" + b" " * 0x100000 + b"\r\n" for _ in range(20))
    ),
    "requests in a row": lambda: b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n" * 3_000,
    "no HTTP": lambda: os.urandom(100_000),
    "HTTP/2": lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 10_000,
}


@pytest.mark.parametrize("door", ["api", "agents"])
@pytest.mark.parametrize("name", RAW)
def test_what_is_hardly_http(name: str, door: str, unmoved: Plane) -> None:
    with _tls(unmoved, door) as connection:
        connection.settimeout(3)
        reader = threading.Thread(target=_swallowed, args=(connection,))
        reader.start()
        content = RAW[name]()
        with contextlib.suppress(OSError):
            for start in range(0, len(content), MB):
                connection.sendall(content[start : start + MB])
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        reader.join()


def test_strangers_do_not_fill_the_log(attacked: Plane) -> None:
    before = len(attacked.log)
    for door in ("api", "agents"):
        for _ in range(50):
            with contextlib.suppress(OSError), _tls(attacked, door) as connection:
                connection.sendall(b"\x00" * 100)
                connection.recv(1000)
    assert len(attacked.log) - before < 1000


def _tls(plane: Plane, door: str) -> ssl.SSLSocket:
    port = plane.api if door == "api" else plane.agents
    return plane.trusting().wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")


def _swallowed(connection: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while connection.recv(65536):
            pass


def test_whoever_sends_slowly_or_nothing_is_left(unmoved: Plane) -> None:
    """Before it is known who is there: without a request, with half of one, header by header, and byte by byte."""
    beginnings = (b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"GET / HTTP/1.1\r\nx: y\r\n\r")
    lasted: list[float] = []

    def wait(door: str, begun: bytes, every: bytes) -> None:
        with _tls(unmoved, door) as connection:
            connection.settimeout(0.5)
            began = time.monotonic()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                connection.sendall(begun)
                while time.monotonic() - began < 14:
                    with contextlib.suppress(TimeoutError):
                        if not connection.recv(1000):
                            break
                    connection.sendall(every)
            lasted.append(time.monotonic() - began)

    callers = [(door, begun, b"") for door in ("api", "agents") for begun in beginnings]
    callers += [(door, b"GET / HTTP/1.1\r\n", b"x: y\r\n") for door in ("api", "agents")]
    threads = [threading.Thread(target=wait, args=one) for one in callers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(lasted) == len(callers)
    assert max(lasted) < 13


def test_a_thousand_connections_without_a_word_leave_room_for_others(attacked: Plane) -> None:
    with contextlib.ExitStack() as stack:
        for port in (attacked.api, attacked.agents, attacked.xds):
            for _ in range(150):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        answer = attacked.ask("GET", "/api")
        assert answer.status == 200
        assert answer.busy < 1
        assert attacked.tell("GET", "/v1/bundle").status == 200


STREAMS: dict[str, Callable[[], list[bytes]]] = {
    "nothing of a message": lambda: [b""],
    "random": lambda: [os.urandom(10_000)],
    "1 MB of zeros": lambda: [b"\x00" * MB],
    "too large": lambda: [b"\x0a\x80\x80\x80\x04" + b"x" * 8 * MB],
    "depth": lambda: [b"\x0a\x02" * 100_000],
    "a length that lies": lambda: [b"\x0a\xff\xff\xff\xff\x0f"],
    "half a million names": lambda: [b"\x12\x02x." + b"\x1a\x01a" * 500_000],
}


@pytest.mark.parametrize("name", STREAMS)
def test_messages_to_xds(name: str, unmoved: Plane, rogue: Member) -> None:
    _stream(unmoved, rogue, STREAMS[name](), ())


@pytest.mark.parametrize("count", [1_000, 20_000])
def test_metadata_to_xds(count: int, unmoved: Plane, rogue: Member) -> None:
    _stream(unmoved, rogue, [b"\x0a\x03\x0a\x01x"], tuple((f"k{n}", "v") for n in range(count)))


def test_a_compressed_message_to_xds_is_not_unpacked(unmoved: Plane, rogue: Member) -> None:
    _stream(unmoved, rogue, [b"\x00" * 64 * MB], (), grpc.Compression.Gzip)


def _stream(
    plane: Plane, member: Member, messages: list[bytes], metadata: tuple[Any, ...], compression: Any = None
) -> None:
    with plane.channel(member) as channel:
        call = channel.stream_stream(AGGREGATED)
        before = plane.busy  # not the clock's seconds: what is sent is packed here, in the test
        with pytest.raises(grpc.RpcError) as refused:
            for _ in call(iter(messages), timeout=10, metadata=metadata, compression=compression):
                pass
        assert plane.busy - before < 1
        assert refused.value.code() not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert not any(word.decode() in str(refused.value.details()) for word in INSIDE)


def _node(said: Any) -> list[bytes]:
    from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

    request = DeltaDiscoveryRequest(type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster")
    request.node.id = "x.shop"
    request.node.metadata["weft"] = said if isinstance(said, str) else json.dumps(said)
    return [request.SerializeToString()]


@pytest.mark.parametrize("name", JSON)
def test_introductions_to_xds(name: str, unmoved: Plane, rogue: Member) -> None:
    said = JSON[name]()[: 3 * MB].decode("utf-8", "replace")
    _stream(unmoved, rogue, _node(said), ())


def test_raw_frames_to_xds_before_anybody_is_known(unmoved: Plane) -> None:
    """Garbage for a handshake, half of one, and frames in plaintext."""
    encoder = Encoder()
    frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    frames += b"".join(
        len(block).to_bytes(3, "big") + b"\x01\x04" + (2 * n + 1).to_bytes(4, "big") + block
        for n in range(500)
        if (block := encoder.encode([(":path", "/x"), ("cookie", "c" * 4000)]))
    )
    for content in (os.urandom(100_000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x16\x03\x01\xff\xff", frames):
        with socket.create_connection(("127.0.0.1", unmoved.xds), 5) as connection:
            connection.settimeout(0.5)
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(content)
                connection.recv(1000)


def test_files_to_the_command_line(tmp_path: Path) -> None:
    """Every bomb in one process, a second and 50 MB each."""
    for number, made in enumerate(YAML.values()):
        (tmp_path / f"{number}.yaml").write_bytes(made())
    files = [str(tmp_path / f"{number}.yaml") for number in range(len(YAML))]
    done = subprocess.run(
        [sys.executable, "-c", _EACH, *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "WEFT_STATE": str(tmp_path / "state")},
    )
    assert done.returncode == 0, done.stderr[-1_000:]
    assert "Traceback" not in done.stderr
    for name, row in zip(YAML, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert row["code"] == 1 or name == "old numbers", (name, row)
        assert row["seconds"] < 1, (name, row)
        assert row["grown"] < 50 * 1024, (name, row)
        assert "error" in row["said"] or name == "old numbers", (name, row)


_EACH = """
import contextlib, io, json, resource, sys, time
from weft.cli.main import main

def ran(file):
    said = io.StringIO()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, code = time.process_time(), 0
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            main(["analyze", "-f", file])
    except SystemExit as end:
        code = end.code
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = time.process_time() - began
    return {"code": code, "seconds": seconds, "grown": after - before, "said": said.getvalue()[:500]}

ran(sys.argv[1])
print(json.dumps([ran(file) for file in sys.argv[1:]]))
"""
