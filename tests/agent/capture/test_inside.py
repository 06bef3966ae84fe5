"""The rules and words of an application in a network of its own."""

import socket

import pytest
from msgspec.structs import replace

from weft.agent.capture.config import CaptureConfig, Scope
from weft.agent.capture.doors import listeners
from weft.agent.capture.inside import Inside, Turns, inside_of, inside_text
from weft.agent.capture.networked import check
from weft.agent.capture.relay import proxy_header
from weft.agent.capture.scope import is_apart
from weft.kit.errors import UserError

INSIDE = Inside(control=3, way="/way", nft="nft", names=4, resolver=15053, patience=1, own_ports=(9080,))
TURNS = Turns(outbound=1, straight=2, names=3)


def rules(**wanted: tuple[int, ...] | tuple[str, ...]) -> list[str]:
    inside = inside_of(CaptureConfig(scope=Scope.NETWORK, **wanted), INSIDE)  # type: ignore[arg-type]
    text = inside_text(replace(inside, addresses=("10.0.0.7",), through=(4317,)), TURNS)
    return [line.strip() for line in text.splitlines()]


def test_everything_goes_to_the_sidecar_but_loopback_its_own_ports_and_ssh() -> None:
    found = rules()
    order = [
        "tcp dport { 22 } redirect to :2",
        "ip daddr 127.0.0.0/8 return",
        "ip daddr { 192.0.0.8, 10.0.0.7 } tcp dport { 9080 } return",
        "meta l4proto tcp redirect to :1",
    ]
    assert sorted(found.index(one) for one in order) == [found.index(one) for one in order]


def test_names_are_asked_of_the_relay_by_packets_and_by_connections() -> None:
    assert {"udp dport 53 redirect to :3", "tcp dport 53 redirect to :2"} <= set(rules())


def test_the_sidecars_ports_on_the_hosts_loopback_are_reached() -> None:
    assert "ip daddr 127.0.0.1 tcp dport { 4317 } redirect to :2" in rules()


def test_what_is_excluded_goes_straight_and_so_does_what_is_not_included() -> None:
    left_out = rules(exclude_outbound_ports=(3306,), exclude_outbound_cidrs=("10.9.0.0/16", "10.9.1.0/24"))
    assert "tcp dport { 22, 3306 } redirect to :2" in left_out
    assert "ip daddr { 10.9.0.0/16 } meta l4proto tcp redirect to :2" in left_out
    some = rules(include_outbound_ports=(80,), include_outbound_cidrs=("10.8.0.0/16",))
    assert some.index("ip daddr { 10.8.0.0/16 } tcp dport { 80 } redirect to :1") < some.index(
        "meta l4proto tcp redirect to :2"
    )


def test_the_sidecar_is_told_where_a_connection_was_sent() -> None:
    assert proxy_header(("192.0.0.8", 40000), ("10.0.0.1", 80)) == (
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x00\x08\x0a\x00\x00\x01\x9c\x40\x00\x50"
    )
    six = proxy_header(("100::8", 1), ("2001:db8::1", 443))
    assert (six[13], len(six)) == (0x21, 16 + 36)


@pytest.mark.parametrize(("address", "reached"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_where_an_application_listens_is_found(address: str, reached: str) -> None:
    with socket.create_server((address, 0)) as server:
        assert (socket.AF_INET, reached) in list(listeners(server.getsockname()[1]))


def test_where_nobody_listens_nothing_is_found() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not list(listeners(bound.getsockname()[1]))


def test_a_network_of_its_own_is_for_who_asks_for_it_or_has_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.agent.capture.scope.has_capability", lambda _: True)
    assert [one for one in Scope if is_apart(CaptureConfig(scope=one))] == [Scope.NETWORK]
    monkeypatch.setattr("weft.agent.capture.scope.has_capability", lambda _: False)
    assert [one for one in Scope if is_apart(CaptureConfig(scope=one))] == [Scope.AUTO, Scope.NETWORK]
    assert not is_apart(None)


@pytest.mark.parametrize(
    ("config", "run_as", "names", "option"),
    [
        (CaptureConfig(), "games", True, "--run-as"),
        (CaptureConfig(), "", False, "--no-dns"),
        (CaptureConfig(every_inbound=True), "", True, "--include-inbound-ports"),
        (CaptureConfig(exclude_inbound_ports=(1,)), "", True, "--exclude-inbound-ports"),
    ],
)
def test_what_needs_rights_is_refused_by_name(config: CaptureConfig, run_as: str, names: bool, option: str) -> None:
    with pytest.raises(UserError, match=option):
        check(config, run_as, names=names)
