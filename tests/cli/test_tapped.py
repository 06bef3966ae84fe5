"""Live requests as lines, HAR and commands; recordings sent again."""

import asyncio
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from tests.cli.conftest import Weft, offline
from weft.cli.replaying import planned, send_all
from weft.cli.tapped import curl_of, har_entry, output_of
from weft.kit.redaction import HIDDEN

__all__ = ["offline"]
END = {
    "workload": "web-1",
    "namespace": "shop",
    "service": "web",
    "identity": "spiffe://x/ns/shop/sa/web",
    "address": "127.0.0.1:1",
}


def item(**changes: Any) -> dict[str, Any]:
    return {
        "type": "request",
        "at": 1_700_000_000.25,
        "proxy": "web-1.shop",
        "side": "out",
        "source": END,
        "destination": END | {"workload": "reviews-v1"},
        "service": "reviews.shop.svc.cluster.local",
        "protocol": "HTTP/1.1",
        "milliseconds": 12.5,
        "flags": [],
        "reason": "",
        "detail": "via_upstream",
        "mutualTls": True,
        "tlsVersion": "TLSv1.3",
        "requestBytes": 0,
        "responseBytes": 5,
        "method": "GET",
        "scheme": "http",
        "authority": "reviews:9080",
        "path": "/a?b=c&d=",
        "status": 200,
        "grpcStatus": "",
        "route": "default",
        "attempts": 1,
        "verdicts": [],
        "requestId": "r-1",
        "traceId": "",
    } | changes


class Named(msgspec.Struct):
    name: str
    value: str


class PostData(msgspec.Struct, rename="camel"):
    mime_type: str
    text: str


class HarRequest(msgspec.Struct, rename="camel"):
    method: str
    url: Annotated[str, msgspec.Meta(pattern="^https?://")]
    http_version: str
    cookies: list[Named]
    headers: list[Named]
    query_string: list[Named]
    headers_size: int
    body_size: int
    post_data: PostData | None = None


class HarContent(msgspec.Struct, rename="camel"):
    size: int
    mime_type: str
    text: str = ""
    encoding: str = ""


class HarResponse(msgspec.Struct, rename="camel"):
    status: int
    status_text: str
    http_version: str
    cookies: list[Named]
    headers: list[Named]
    content: HarContent
    redirect_url: str = msgspec.field(name="redirectURL")
    headers_size: int
    body_size: int


class HarTimings(msgspec.Struct):
    send: float
    wait: float
    receive: float


class HarEntry(msgspec.Struct, rename="camel"):
    started_date_time: Annotated[datetime, msgspec.Meta(tz=True)]
    time: Annotated[float, msgspec.Meta(ge=0)]
    request: HarRequest
    response: HarResponse
    cache: dict[str, Any]
    timings: HarTimings


class HarLog(msgspec.Struct):
    version: Literal["1.2"]
    creator: dict[Literal["name", "version"], str]
    entries: list[HarEntry]


class Har(msgspec.Struct):
    """What HAR 1.2 requires: names, types, and that nothing of it is missing."""

    log: HarLog


FULL = item(
    method="POST",
    requestHeaders=[["content-type", "application/json"], ["authorization", HIDDEN], ["x-it's", 'a "b" $c `d`']],
    requestBody={"text": '{"a": "it\'s"}', "cut": False},
    requestBytes=13,
    responseHeaders=[["content-type", "image/png"], ["location", "/next"]],
    responseBody={"base64": "AAEC", "cut": True},
)


def test_har_is_valid_with_and_without_bodies_and_leaves_connections_out(capsys: pytest.CaptureFixture[str]):
    output = output_of("har")
    for one in (item(), FULL, {"type": "connection", "phase": "opened"}):
        output.show(one)
    output.end()
    text = capsys.readouterr().out
    assert len(msgspec.json.decode(text, type=Har).log.entries) == 2
    found = json.loads(text)
    bare, full = found["log"]["entries"]
    assert bare["request"]["queryString"] == [{"name": "b", "value": "c"}, {"name": "d", "value": ""}]
    assert full["response"]["content"] == {"size": 5, "mimeType": "image/png", "text": "AAEC", "encoding": "base64"}
    assert full["response"]["redirectURL"] == "/next"
    assert full["request"]["postData"] == {"mimeType": "application/json", "text": '{"a": "it\'s"}'}
    assert har_entry(item())["_requestId"] == "r-1"


class _Got:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.port = 0
        self.status = 200


@pytest.fixture
def got() -> Iterator[_Got]:
    found = _Got()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            found.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with server:
        yield found
        server.shutdown()
        thread.join()


def test_a_command_is_run_as_it_is_and_what_is_hidden_is_a_variable(got: _Got):
    command = curl_of(FULL | {"authority": f"127.0.0.1:{got.port}", "path": f"/p?token={HIDDEN}&q=[1]"})
    done = subprocess.run(["bash", "-c", command], env={"PATH": "/usr/bin:/bin", "AUTHORIZATION": "mine"}, timeout=20)
    assert done.returncode == 0
    ((method, path, headers, body),) = got.requests
    assert (method, path, body) == ("POST", "/p?token=REDACTED&q=[1]", b'{"a": "it\'s"}')
    assert (headers["authorization"], headers["x-it's"]) == ("mine", 'a "b" $c `d`')


def test_bytes_that_are_no_text_are_sent_by_a_command_too(got: _Got):
    body = {"base64": "AAEC", "cut": False}
    command = curl_of(FULL | {"authority": f"127.0.0.1:{got.port}", "requestBody": body})
    assert subprocess.run(["bash", "-c", command], env={"PATH": "/usr/bin:/bin"}, timeout=20).returncode == 0
    assert got.requests[0][3] == b"\x00\x01\x02"


def test_what_others_wrote_commands_no_terminal(capsys: pytest.CaptureFixture[str]):
    evil = "\x1b]0;x\x07\nnew"
    shown = item(path=f"/{evil}", requestHeaders=[["x-a", evil]], requestBody={"text": evil, "cut": True}, detail=evil)
    for name in ("table", "wide", "curl"):
        output_of(name).show(shown)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_lines_and_control_characters_come_through_a_command_as_they_were(got: _Got):
    body = "a\tb\n'c' \\x41 ä\x07"
    command = curl_of(FULL | {"authority": f"127.0.0.1:{got.port}", "requestBody": {"text": body, "cut": False}})
    assert subprocess.run(["bash", "-c", command], env={"PATH": "/usr/bin:/bin"}, timeout=20).returncode == 0
    assert got.requests[0][3].decode() == body


def test_a_line_says_what_is_out_of_the_ordinary(capsys: pytest.CaptureFixture[str]):
    output_of("table").show(
        item(
            status=503,
            flags=["UH"],
            reason="no healthy upstream",
            attempts=3,
            mutualTls=False,
            verdicts=["DENY shop/x"],
        )
    )
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["TIME", "SOURCE", "DESTINATION"]
    for word in (
        "web-1",
        "reviews-v1",
        "reviews:9080/a",
        "503",
        "12.5ms",
        "plaintext",
        "2 retries",
        "DENY shop/x",
        "UH",
    ):
        assert word in line


def test_a_connection_is_a_line_too(capsys: pytest.CaptureFixture[str]):
    connection = {key: value for key, value in item().items() if key not in ("method", "path", "status", "grpcStatus")}
    output_of("wide").show(connection | {"type": "connection", "phase": "closed"})
    assert "closed" in capsys.readouterr().out


def test_what_cannot_be_sent_again_is_left_out_and_said():
    body = {"text": "x", "cut": True}
    plan = planned(
        [
            item(at=3),
            item(at=1, method="HEAD"),
            item(method="POST"),
            item(path=f"/?token={HIDDEN}"),
            item(requestBytes=5),
            item(requestBytes=5, requestBody=body),
            item(grpcStatus="0"),
        ],
        most=10,
        writes=False,
    )
    assert [(one.method, one.at) for one in plan.requests] == [("HEAD", 0), ("GET", 2)]
    assert sum(count for _, count in plan.left_out) == 5
    assert len(planned([item()] * 5, most=2, writes=False).requests) == 2


def test_hidden_headers_are_not_sent_and_the_host_is_that_of_the_address(got: _Got):
    plan = planned([FULL], most=1, writes=True)

    async def send(keep_host: bool) -> None:
        address = f"http://127.0.0.1:{got.port}"
        (sent,) = await send_all(plan, address, speed=1, per_second=0, parallel=1, timeout=5, keep_host=keep_host)
        assert (sent.status, sent.differs) == (200, False)

    asyncio.run(send(False))
    asyncio.run(send(True))
    first, second = (headers for _, _, headers, _ in got.requests)
    assert "authorization" not in first
    assert (first["host"], second["host"]) == (f"127.0.0.1:{got.port}", "reviews:9080")


def _recording(directory: Path, *items: dict[str, Any]) -> str:
    file = directory / "recording"
    lines = [{"type": "recording", "version": 1, "question": []}, *items]
    file.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return str(file)


def test_a_recording_is_a_test(offline: Weft, got: _Got, tmp_path: Path):
    file = _recording(tmp_path, item(), item(at=1_700_000_000.3, path="/other"))
    command = ("replay", file, "--to", f"http://127.0.0.1:{got.port}", "--compare")
    assert offline(*command).code == 0
    got.status = 404
    failed = offline(*command)
    assert failed.code == 1
    assert "/other" in failed.out
    assert offline(*command[:-1]).code == 0
    told = json.loads(offline(*command, "-o", "json").out)
    assert [one["status"] for one in told["sent"]] == [404, 404]


def test_an_address_where_nobody_answers_is_a_difference(offline: Weft, tmp_path: Path):
    failed = offline("replay", _recording(tmp_path, item()), "--to", "http://127.0.0.1:9", "--compare")
    assert failed.code == 1


def test_slower_than_before_is_a_difference_if_asked_for(offline: Weft, got: _Got, tmp_path: Path):
    file = _recording(tmp_path, item(milliseconds=0.0001))
    command = ("replay", file, "--to", f"http://127.0.0.1:{got.port}", "--compare")
    assert offline(*command).code == 0
    assert offline(*command, "--slower", "2").code == 1


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\xfe", b'{"type": "recording", "version": 2}\n'])
def test_what_is_no_recording_is_said_to_be_none(offline: Weft, tmp_path: Path, content: bytes):
    file = tmp_path / "file"
    file.write_bytes(content)
    failed = offline("replay", str(file), "--to", "http://127.0.0.1:9")
    assert failed.code == 1
    assert "is no recording" in failed.err
