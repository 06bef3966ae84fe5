"""The short notations of ``weft run``."""

from pathlib import Path

import pytest

from weft.agent.config import (
    AgentConfig,
    AgentPort,
    Probe,
    ProbeKind,
    Restart,
    Upstream,
    parse_port,
    parse_probe,
    parse_upstream,
    read_config,
    write_config,
)
from weft.kit.errors import UserError


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("9080", AgentPort(port=9080, app_port=9080)),
        ("9080:8080", AgentPort(port=9080, app_port=8080)),
        ("9080:auto", AgentPort(port=9080, app_port=0)),
        ("web:9080", AgentPort(port=9080, app_port=9080, name="web")),
        ("web:9080:auto", AgentPort(port=9080, app_port=0, name="web")),
    ],
)
def test_ports_are_read(text: str, port: AgentPort) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize("text", ["", "0", "65536", "a:b", "9080:", ":9080", "1:2:3:4", "9080:0", "-1", "9080 "])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_port(text)


def test_an_upstream_names_its_variable() -> None:
    assert parse_upstream("orders:50051") == Upstream(host="orders", port=50051, variable="WEFT_UPSTREAM_ORDERS")
    assert parse_upstream("my-db.shop:5432").variable == "WEFT_UPSTREAM_MY_DB_SHOP"
    assert parse_upstream("DB=ledger:9000") == Upstream(host="ledger", port=9000, variable="DB")


@pytest.mark.parametrize("text", ["", "orders", "orders:0", "1X=orders:1", "http://orders:80", "orders:99999"])
def test_what_is_no_upstream_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_upstream(text)


def test_probes_are_read() -> None:
    assert parse_probe("http:/healthz?deep=1") == Probe(kind=ProbeKind.HTTP, target="/healthz?deep=1")
    assert parse_probe("tcp").kind is ProbeKind.TCP
    assert parse_probe("grpc") == Probe(kind=ProbeKind.GRPC)
    assert parse_probe("grpc:shop.Orders").target == "shop.Orders"
    assert parse_probe("command:test -f /tmp/x:y").target == "test -f /tmp/x:y"


@pytest.mark.parametrize("text", ["", "http", "http:healthz", "http:/a\r\nHost: x", "tcp:80", "command:", "icmp"])
def test_what_is_no_probe_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_probe(text)


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = AgentConfig(
        service="reviews",
        name="reviews-1",
        command=("python", "-V"),
        state_dir=tmp_path,
        ports=(parse_port("9080:auto", "grpc"),),
        upstreams=(parse_upstream("orders:50051"),),
        token_file=tmp_path / "token",
        probe=parse_probe("grpc"),
        labels=(("zone", "a"),),
        restart=Restart.ON_FAILURE,
    )
    file = tmp_path / "config.json"
    file.write_bytes(write_config(config))
    assert read_config(file) == config


def test_a_damaged_configuration_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"service": 1}')
    with pytest.raises(UserError, match="no agent's configuration"):
        read_config(tmp_path / "x")
