"""Recorded calls: counted by kind for an hour, in bounded memory, without what may be secret."""

import pytest
from msgspec.structs import replace

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.observe import calls as module
from weft.observe.access_logs import AT_ONCE, access_log_sink
from weft.observe.calls import LOG, Call, Calls

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
WEB = "spiffe://cluster.local/ns/shop/sa/web"
READ = Call(source=WEB, proxy="reviews-v1.shop", port=9080, address="10.0.0.7", method="GET", authority="reviews:9080",
            path="/reviews/1")  # fmt: skip


def message(*paths: str, source: str = WEB) -> StreamAccessLogsMessage:
    made = StreamAccessLogsMessage()
    made.identifier.node.id = "reviews-v1.shop"
    made.identifier.log_name = LOG
    for path in paths:
        entry = made.http_logs.log_entry.add()
        entry.request.request_method = 1
        entry.request.authority, entry.request.path = "reviews:9080", path
        _told(entry.common_properties, source)
    return made


def _told(common, source: str) -> None:
    common.custom_tags["port"] = "9080"
    common.downstream_direct_remote_address.socket_address.address = "10.0.0.7"
    if source:
        common.tls_properties.peer_certificate_properties.subject_alt_name.add().uri = source


class World:
    """What is recorded, and the stream that tells it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.calls = Calls(self.clock)
        self.tell = access_log_sink({LOG: self.calls.read}).opened(REVIEWS)

    def told(self, *paths: str, **more: str) -> None:
        for _ in self.tell(message(*paths, **more).SerializeToString()) or ():
            pass

    def counts(self, seconds: float = 3600.0) -> dict[str, int]:
        return {call.path: count for call, count in self.calls.recorded(seconds)}


def test_alike_calls_are_one_with_their_number_and_without_queries() -> None:
    world = World()
    world.told("/reviews/1?token=secret", "/reviews/1", "/reviews/2")
    world.clock.advance(61)
    world.told("/reviews/1")
    (first, count), (second, _) = world.calls.recorded(3600)
    assert (first, count) == (READ, 3)
    assert second.path == "/reviews/2"


def test_a_caller_without_a_certificate_has_no_name() -> None:
    world = World()
    world.told("/x", source="")
    ((call, _),) = world.calls.recorded(3600)
    assert call.source == ""


def test_a_path_that_a_route_changed_is_told_as_the_caller_sent_it() -> None:
    world = World()
    made = message("/internal/x")
    made.http_logs.log_entry[0].request.original_path = "/x?a=b"
    world.tell(made.SerializeToString())
    assert world.counts() == {"/x": 1}


def test_connections_are_recorded_too() -> None:
    world = World()
    made = message()
    _told(made.tcp_logs.log_entry.add().common_properties, WEB)
    world.tell(made.SerializeToString())
    ((call, _),) = world.calls.recorded(3600)
    assert (call.source, call.port, call.method, call.path) == (WEB, 9080, "", "")


def test_an_hour_is_kept_and_less_can_be_asked_for() -> None:
    world = World()
    world.told("/old")
    world.clock.advance(3000)
    world.told("/new")
    assert world.counts() == {"/old": 1, "/new": 1}
    assert world.counts(600) == {"/new": 1}
    world.clock.advance(1000)
    assert world.counts() == {"/new": 1}


def test_memory_is_bounded_and_what_finds_no_place_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KINDS", 100)
    world = World()
    world.told(*(f"/{number}" for number in range(150)), "/0")
    assert len(world.counts()) == 100
    assert world.counts()["/0"] == 2
    assert world.calls.lost == 50
    world.clock.advance(3700)
    world.told(*(f"/{number}" for number in range(100)))
    assert len(world.counts()) == 100
    assert world.calls.lost == 50


def test_who_tells_much_takes_no_place_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 10)
    world = World()
    world.told(*(f"/{number}" for number in range(50)))
    assert len(world.counts()) == 10
    other = access_log_sink({LOG: world.calls.read}).opened(replace(REVIEWS, account="other"))
    other(message("/mine").SerializeToString())
    assert world.counts()["/mine"] == 1
    assert world.calls.lost == 40


def test_a_message_of_many_calls_is_read_in_parts_and_whole() -> None:
    world = World()
    parts = world.tell(message(*["/same"] * 5 * AT_ONCE, "/last").SerializeToString())
    assert parts is not None
    assert [sum(world.counts().values()) for _ in parts] == [*(AT_ONCE * part for part in range(1, 6)), 5 * AT_ONCE + 1]
    assert world.counts() == {"/same": 5 * AT_ONCE, "/last": 1}
    assert world.calls.lost == 0
