"""Copies of the audit log elsewhere: what arrives, what a destination can do wrong, and that nobody waits for it."""

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from weft.app.audit import Auditing
from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.kit.tasks import tasks
from weft.model.audit import AuditEntry, Outcome
from weft.observe.shipping import shipper as shipping
from weft.observe.shipping.channels import shipper_of
from weft.observe.shipping.destination import Destination, destination_of
from weft.observe.shipping.shipper import Refused, Shipper, Undelivered
from weft.store.memory import MemoryStore

LINE = b'{"n":%d,"outcome":"allowed","time":"2026-01-01T00:00:00.000Z","verb":"create","who":"jane"}\n'
DENIED = b'{"n":9,"outcome":"denied","time":"2026-01-01T00:00:00.000Z","verb":"get","who":"jane"}\n'
MESSAGE = re.compile(rb"<(\d+)>1 (\S+Z) (\S+) weft (\d+) audit - (\{.*\})")


def lines(count: int) -> list[bytes]:
    return [LINE % number for number in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  conditions are of sockets, too
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(shipper: Shipper) -> AsyncIterator[Shipper]:
    async with tasks() as group:
        group.start(shipper.run(), "shipping")
        yield shipper


class Collector:
    """A server of a stream protocol, and the octet-counted messages that it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.connections = 0
        self.after: int | None = None
        """Messages of one connection, after which it is closed."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        count = 0
        try:
            while self.after is None or count < self.after:
                size = int(await reader.readuntil(b" "))
                self.got.append(await reader.readexactly(size))
                count += 1
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    def numbers(self) -> list[int]:
        return [json.loads(MESSAGE.fullmatch(one)[5])["n"] for one in self.got]  # type: ignore[index]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_lines_arrive_as_syslog_messages_over_streams(kind: str, tmp_path: Path) -> None:
    collector = Collector()
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if kind == "unix":
        server: asyncio.Server = await asyncio.start_unix_server(collector, tmp_path / "log")
        url = f"syslog+unix://{tmp_path}/log"
    else:
        server = await asyncio.start_server(collector, "127.0.0.1", 0, ssl=context if kind == "tls" else None)
        port = server.sockets[0].getsockname()[1]
        url = f"syslog+{kind}://127.0.0.1:{port}" + (f"?ca={tmp_path}/ca.pem" if kind == "tls" else "")
    async with server, running(shipper_of(destination_of(url), FakeClock())) as shipper:
        for line in (*lines(1000), DENIED):
            shipper.ship(line)
        await until(lambda: len(collector.got) == 1001)
        assert collector.numbers() == [*range(1000), 9]
        await until(lambda: shipper.status().sent == 1001)
        assert (shipper.status().queued, shipper.status().dropped, shipper.status().problem) == (0, 0, "")
    first, last = MESSAGE.fullmatch(collector.got[0]), MESSAGE.fullmatch(collector.got[-1])
    assert first is not None
    assert last is not None
    assert (int(first[1]), int(last[1])) == (13 * 8 + 5, 13 * 8 + 4)
    assert first[2] == b"2023-11-14T22:13:20.000Z"
    assert first[5] + b"\n" == LINE % 0


@pytest.mark.asyncio
async def test_lines_arrive_as_datagrams_where_a_socket_takes_them(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(5)
        async with running(shipper_of(destination_of(f"syslog+unix://{tmp_path}/log"), FakeClock())) as shipper:
            shipper.ship(DENIED)
            got = await asyncio.to_thread(log.recv, 65536)
    found = MESSAGE.fullmatch(got)
    assert found is not None
    assert found[5] + b"\n" == DENIED


@pytest.mark.asyncio
async def test_a_connection_that_breaks_is_made_again_and_nothing_in_the_queue_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipping, "_FIRST_PAUSE", 0.01)
    collector = Collector()
    collector.after = 1
    server = await asyncio.start_server(collector, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running(shipper_of(destination_of(f"syslog+tcp://127.0.0.1:{port}"), FakeClock())) as shipper:
        for number in range(3):
            shipper.ship(LINE % number)
            await until(lambda number=number: number in collector.numbers())
            await asyncio.sleep(0.05)  # let the closing of the connection arrive
        assert collector.connections == 3


@pytest.mark.asyncio
async def test_a_server_that_is_not_trusted_gets_no_line(tmp_path: Path) -> None:
    collector = Collector()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    server = await asyncio.start_server(collector, "127.0.0.1", 0, ssl=context)
    url = f"syslog+tls://127.0.0.1:{server.sockets[0].getsockname()[1]}?ca={tmp_path}/other.pem"
    async with server, running(shipper_of(destination_of(url), FakeClock())) as shipper:
        shipper.ship(DENIED)
        await until(lambda: "certificate" in shipper.status().problem)
        assert shipper.status().queued == 1
    assert collector.got == []


class Stuck:
    """A destination that does what the test says."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.problem: Exception | None = None
        self.open = asyncio.Event()

    async def send(self, batch: tuple[bytes, ...]) -> None:
        await self.open.wait()
        if self.problem:
            raise self.problem
        self.got += batch

    async def close(self) -> None:
        pass


@pytest.mark.asyncio
async def test_nobody_waits_for_a_destination_that_hangs_and_what_does_not_fit_is_counted() -> None:
    stuck = Stuck()
    async with running(Shipper("stuck", stuck, most=100)) as shipper:
        for line in lines(250):
            shipper.ship(line)
        assert (shipper.status().queued, shipper.status().dropped) == (100, 150)
        stuck.open.set()
        await until(lambda: len(stuck.got) == 100)
        assert stuck.got == lines(100)


@pytest.mark.asyncio
async def test_what_does_not_arrive_is_a_trouble_of_the_control_plane(tmp_path: Path) -> None:
    nowhere = Destination(scheme="syslog+tcp", host="127.0.0.1", port=1)
    auditing = Auditing(tmp_path / "audit", FakeClock(), MemoryStore(), (nowhere,))
    async with tasks() as group:
        await auditing.start(group)
        assert auditing.troubles() == ()
        auditing.logs.write(AuditEntry(verb="create", who="jane", outcome=Outcome.ALLOWED))
        await until(lambda: auditing.troubles() != ())
        assert auditing.troubles() == ("the audit log does not reach 1 of the 1 places that it is shipped to",)
        assert "127.0.0.1" not in str(auditing.troubles())
    await auditing.close()


@pytest.mark.asyncio
async def test_a_destination_that_comes_back_gets_what_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_FIRST_PAUSE", 0.01)
    stuck = Stuck()
    stuck.open.set()
    stuck.problem = Undelivered("away")
    async with running(Shipper("stuck", stuck)) as shipper:
        for line in lines(3):
            shipper.ship(line)
        await until(lambda: shipper.status().problem == "away")
        stuck.problem = None
        await until(lambda: stuck.got == lines(3))
        assert shipper.status().problem == ""


@pytest.mark.asyncio
async def test_lines_that_a_destination_refuses_do_not_hold_up_others() -> None:
    stuck = Stuck()
    stuck.open.set()
    stuck.problem = Refused("no")
    async with running(Shipper("stuck", stuck)) as shipper:
        shipper.ship(DENIED)
        await until(lambda: shipper.status().dropped == 1)
        stuck.problem = None
        shipper.ship(LINE % 1)
        await until(lambda: stuck.got == [LINE % 1])


@pytest.mark.asyncio
async def test_what_waits_at_the_end_is_shipped() -> None:
    stuck = Stuck()
    stuck.open.set()
    async with running(Shipper("stuck", stuck)) as shipper:
        await asyncio.sleep(0)
        shipper.ship(DENIED)
    assert stuck.got == [DENIED]


class Otlp:
    """A collector that speaks OTLP over HTTP."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.requests.append((head[0], headers, body))
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@pytest.mark.asyncio
async def test_lines_arrive_as_log_records_and_what_is_refused_for_now_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipping, "_FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20secret,x=y")
    otlp = Otlp()
    otlp.statuses = [503, 400]
    server = await asyncio.start_server(otlp, "127.0.0.1", 0)
    url = f"otlp+http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, running(shipper_of(destination_of(url), FakeClock())) as shipper:
        shipper.ship(LINE % 1)
        await until(lambda: len(otlp.requests) == 2)
        await until(lambda: shipper.status().dropped == 1)
        shipper.ship(DENIED)
        await until(lambda: shipper.status().sent == 1)
    (first, headers, one), (_, _, again), (_, _, two) = otlp.requests
    assert first == "POST /v1/logs HTTP/1.1"
    assert (headers["api-key"], headers["x"], headers["content-type"]) == ("a secret", "y", "application/json")
    assert one == again
    (record,) = two["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert record["body"] == {"stringValue": DENIED.decode().strip()}
    assert (record["severityNumber"], record["timeUnixNano"]) == (13, "1767225600000000000")
    assert {"key": "enduser.id", "value": {"stringValue": "jane"}} in record["attributes"]


def test_destinations_are_urls() -> None:
    assert destination_of("syslog+tls://logs.example.com") == Destination(
        scheme="syslog+tls", host="logs.example.com", port=6514
    )
    assert destination_of("otlp+https://c:1/x?ca=/a&cert=/b&key=/c") == Destination(
        scheme="otlp+https", host="c", port=1, path="/x", ca="/a", cert="/b", key="/c"
    )
    assert destination_of("syslog+unix:///dev/log").told == "syslog+unix:///dev/log"
    assert destination_of("syslog+tcp://[::1]").told == "syslog+tcp://[::1]:601"


@pytest.mark.parametrize(
    "text",
    ["", "host", "syslog://host", "syslog+tcp://", "syslog+unix://host/x", "syslog+tcp://h:99999", "otlp+https://h?x=1",
     "syslog+tls://user:word@host", "http://host"],
)  # fmt: skip
def test_what_is_no_destination_is_told(text: str) -> None:
    with pytest.raises(UserError, match="no place to ship to"):
        destination_of(text)


def test_files_that_cannot_be_used_are_told() -> None:
    with pytest.raises(UserError, match="cannot be used"):
        shipper_of(destination_of("syslog+tls://host?ca=/none/such"), FakeClock())
