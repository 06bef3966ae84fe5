"""Who watches gets what was looked for, in bounded memory; what a proxy says is a claim."""

import asyncio
import base64

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import StringValue

from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.redaction import Redactor
from weft.model.identity import Identity
from weft.model.tap import CONTENT, MARK, Exchange, Looking, Showing, Side, Target
from weft.observe.access_logs import Reporter
from weft.observe.tap.board import MOST_WATCHERS, Board, Watcher
from weft.observe.tap.shown import shown

IDENTITY = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
REPORTER = Reporter(proxy="reviews-1.shop", identity=IDENTITY)


def entry(watchers: str, path: str = "/", status: int = 200, **content: object) -> HTTPAccessLogEntry:
    found = HTTPAccessLogEntry()
    found.request.request_method = RequestMethod.GET
    found.request.path = path
    found.response.response_code.value = status
    mark = Struct()
    mark.update({"on": True, "watchers": watchers, "lost": content.pop("lost", 0)})
    found.common_properties.metadata.filter_metadata[MARK].CopyFrom(mark)
    for key, value in content.items():
        text = "\n".join(value) if isinstance(value, list) else str(value)
        found.common_properties.filter_state_objects[f"{CONTENT}.{key}"].Pack(StringValue(value=text))
    return found


def told(board: Board, *entries: HTTPAccessLogEntry, reporter: Reporter = REPORTER, side: Side = Side.IN) -> None:
    message = StreamAccessLogsMessage()
    message.http_logs.log_entry.extend(entries)
    board.readers()[side.log](reporter, message)


def watching(board: Board, looking: Looking = Looking(), showing: Showing = Showing()) -> Watcher:  # noqa: B008
    found = board.enter(Target(namespace="shop"), Side.IN, looking, showing)
    assert found is not None
    found.proxies = frozenset({(REPORTER.proxy, Side.IN)})
    return found


def seen(watcher: Watcher) -> list[Exchange]:
    return [*iter(watcher.pop, None)]


def test_each_watcher_gets_what_its_proxy_found_for_it():
    board = Board(lambda: None)
    first, second = watching(board), watching(board, Looking(statuses=((500, 599),)))
    told(board, entry("1 2", "/both", 500), entry("1", "/first"), entry("2", "/but-not-that-status", 200))
    assert [one.path for one in seen(first)] == ["/both", "/first"]
    assert [one.path for one in seen(second)] == ["/both"]


def test_a_proxy_that_is_not_watched_says_nothing_to_anybody():
    board = Board(lambda: None)
    watcher = watching(board)
    told(board, entry("1"), reporter=Reporter(proxy="other-1.shop", identity=IDENTITY))
    told(board, entry("1"), side=Side.OUT)
    assert seen(watcher) == []


@pytest.mark.parametrize("watchers", ["x", "1x", "-1", "1" * 5000, "", "² 1²"])
def test_numbers_that_are_none_are_nobodys(watchers: str):
    board = Board(lambda: None)
    watcher = watching(board)
    told(board, entry(watchers, lost="many"))
    assert (seen(watcher), watcher.lost) == ([], 0)


def test_bodies_that_are_no_base64_are_left_out_and_what_is_lost_is_counted():
    board = Board(lambda: None)
    watcher = watching(board, showing=Showing(body=10))
    told(board, entry("1", request_body="%%%", lost=7))
    (found,) = seen(watcher)
    assert found.request.body is None
    assert watcher.lost == 7


def test_who_does_not_read_loses_what_does_not_fit_and_learns_how_much():
    board = Board(lambda: None)
    watcher = watching(board)
    for _ in range(30):
        told(board, *(entry("1") for _ in range(100)))
    assert watcher.dropped == 1000
    assert len(seen(watcher)) == 2000


def test_large_bodies_are_bounded_by_their_bytes():
    board = Board(lambda: None)
    watcher = watching(board, showing=Showing(body=65_536))
    body = base64.b64encode(b"x" * 65_000).decode()
    told(board, *(entry("1", request_body=body, response_body=body) for _ in range(100)))
    assert watcher.dropped > 0
    assert sum(len(one.request.body.data) for one in seen(watcher) if one.request.body) < 8 * 1024 * 1024


def test_only_so_many_watch_at_a_time_and_everybody_is_told_of_changes():
    changes: list[int] = []
    board = Board(lambda: changes.append(1))
    watchers = [watching(board) for _ in range(MOST_WATCHERS)]
    assert board.enter(Target(), Side.IN, Looking(), Showing()) is None
    board.leave(watchers[0])
    board.leave(watchers[0])
    assert len(changes) == MOST_WATCHERS + 1
    assert len(board.watchers) == MOST_WATCHERS - 1


def test_a_reader_waits_for_the_next():
    async def wait() -> tuple[Exchange | None, Exchange | None]:
        board = Board(lambda: None)
        watcher = watching(board)
        asyncio.get_running_loop().call_later(0.01, told, board, entry("1", "/late"))
        return await watcher.next(5), await watcher.next(0.01)

    late, none = asyncio.run(wait())
    assert late is not None
    assert (late.path, none) == ("/late", None)


def test_a_watcher_that_did_not_ask_sees_neither_headers_nor_bodies_of_another():
    board = Board(lambda: None)
    watcher = watching(board)
    told(board, entry("1", request=["x-a", "1"], request_body=base64.b64encode(b"x").decode()))
    (found,) = seen(watcher)
    bare = shown(found, Showing(), Redactor())
    assert (bare.request.headers, bare.request.body) == ((), None)


def test_compressed_bodies_are_read_so_that_secrets_in_them_are_hidden():
    import gzip

    board = Board(lambda: None)
    watcher = watching(board, showing=Showing(body=500))
    packed = gzip.compress(b'{"password": "geheim"}')
    headers = ["content-encoding", "gzip", "content-type", "application/json"]
    told(board, entry("1", response=headers, response_body=base64.b64encode(packed).decode()))
    told(board, entry("1", response=headers, response_body=base64.b64encode(packed[:-12]).decode()))
    told(board, entry("1", response=["content-encoding", "br"], response_body=base64.b64encode(b"zz").decode()))
    whole, cut, unknown = (shown(one, watcher.showing, Redactor()).response for one in seen(watcher))
    assert whole.body is not None
    assert whole.body.data == b'{"password": "[redacted]"}'
    assert cut.body is not None
    assert b"geheim" not in cut.body.data
    assert unknown.body is not None
    assert unknown.body.data == b""
