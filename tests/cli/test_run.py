"""`weft run` writes the agent's configuration and becomes the agent."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Weft
from weft.agent.config import AgentConfig, AgentPort, GatewayConfig, ProbeKind, Restart, Upstream, read_config


class Became(Exception):
    """The process would be another one now."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the process was replaced by."""
    seen: list[list[str]] = []

    def execv(_: str, arguments: list[str]) -> None:
        seen.append(arguments)
        raise Became

    monkeypatch.setattr(os, "execv", execv)
    return seen


def config_of(became: list[list[str]]) -> AgentConfig:
    arguments = became[0]
    assert arguments[1:3] == ["-m", "weft.agent"]
    return read_config(Path(arguments[3]))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("weft_join_x")
    return file


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / "root.pem"
    file.write_text("pem")
    return file


def test_every_option_arrives_at_the_agent(offline: Weft, became: list[list[str]], token: Path, ca: Path) -> None:
    offline(
        "run", "--service", "reviews", "--version", "v2", "--name", "reviews-1", "--port", "9080:auto",
        "--port", "admin:9090", "--upstream", "orders:50051", "--upstream", "LEDGER=ledger:7000",
        "--token-file", str(token), "--ca-file", str(ca), "--join-url", "https://127.0.0.1:1",
        "--health", "http:/healthz", "--label", "tier=back", "--drain-seconds", "1", "--restart", "always",
        "--no-http-proxy", "--", "python", "reviews.py", "--port", "1",
    )  # fmt: skip
    config = config_of(became)
    assert config.command == ("python", "reviews.py", "--port", "1")
    assert (config.service, config.version, config.name) == ("reviews", "v2", "reviews-1")
    assert config.ports == (
        AgentPort(port=9080, app_port=0, protocol="http"),
        AgentPort(port=9090, app_port=9090, name="admin", protocol="http"),
    )
    assert config.upstreams == (
        Upstream(host="orders", port=50051, variable="WEFT_UPSTREAM_ORDERS"),
        Upstream(host="ledger", port=7000, variable="LEDGER"),
    )
    assert (config.token_file, config.ca_file, config.join_url) == (token, ca, "https://127.0.0.1:1")
    assert config.probe is not None
    assert (config.probe.kind, config.probe.target) == (ProbeKind.HTTP, "/healthz")
    assert config.labels == (("tier", "back"),)
    assert (config.drain_seconds, config.restart, config.http_proxy) == (1.0, Restart.ALWAYS, False)


def test_a_workload_without_a_name_gets_one_of_service_and_version(
    offline: Weft, became: list[list[str]], ca: Path
) -> None:
    offline("run", "--service", "web", "--version", "v1", "--ca-file", str(ca), "--", "true")
    assert config_of(became).name.startswith("web-v1-")


def test_the_same_name_is_taken_at_every_start_that_asks_for_it(
    offline: Weft, became: list[list[str]], token: Path, ca: Path
) -> None:
    given = ("--token-file", str(token), "--ca-file", str(ca), "--", "x")
    names = []
    for service, version in (("reviews", "v1"), ("reviews", "v2"), ("ratings", "v1")):
        offline("run", "--service", service, "--version", version, "--same-name", *given)
        names.append(config_of(became).name)
        became.clear()
    assert names[0] == names[1], "its certificate is kept under this name"
    assert names[2].startswith("ratings-v1-")
    offline("run", "--service", "reviews", *given)
    assert config_of(became).name != names[0]


def test_a_control_plane_may_have_several_addresses(
    offline: Weft, became: list[list[str]], token: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = "https://one.example:7072", "https://two.example:7072"
    given = ("--service", "reviews", "--token-file", str(token), "--ca-file", str(ca), "--", "x")
    for options in (("--join-url", one, "--join-url", two), ("--join-url", f"{one},{two}")):
        offline("run", *options, *given)
        assert config_of(became).join_url == f"{one},{two}"
        became.clear()
    monkeypatch.setenv("WEFT_JOIN_URL", f"{one},{two}")
    offline("run", *given)
    assert config_of(became).join_url == f"{one},{two}"
    assert "'two:1' is no join URL" in offline("run", "--join-url", f"{one},two:1", *given).err


def test_nobody_is_trusted_on_first_use(offline: Weft, became: list[list[str]]) -> None:
    done = offline("run", "--service", "web", "--", "true")
    assert done.code == 1
    assert done.err == (
        "error: nothing says which control plane to trust\n"
        "help: name its CA with --ca-file or --ca-fingerprint, or start one here with `weft up`\n"
    )
    assert became == []


def test_the_control_plane_of_this_machine_is_found_and_trusted(
    weft: Weft, became: list[list[str]], control_plane: object
) -> None:
    weft("run", "--service", "web", "--", "true")
    config = config_of(became)
    assert config.ca_file == config.state_dir / "ca" / "root.pem"
    assert config.join_url == control_plane.addresses.agents  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--service", "Web!", "--", "true"), "'Web!' is not a name"),
        (("--service", "web", "--label", "x", "--", "true"), "'x' is no label"),
        (("--service", "web"), "missing argument"),
        (("--service", "web", "--port", "80", "--port", "80:81", "--", "true"), "port 80 or its name is given twice"),
        (("--service", "web", "--port", "a:80", "--port", "a:81", "--", "true"), "port 81 or its name is given twice"),
        (("--service", "web", "--prot", "1", "--", "true"), "no such option '--prot'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], words: str, offline: Weft, became: object) -> None:
    done = offline("run", *arguments)
    assert done.code == 2
    assert words in done.err
    assert became == []


@pytest.mark.parametrize("option", [("--port", "http"), ("--upstream", "orders"), ("--health", "ping")])
def test_notations_are_checked_before_anything_starts(
    option: tuple[str, str], offline: Weft, became: object, ca: Path
) -> None:
    done = offline("run", "--service", "web", "--ca-file", str(ca), *option, "--", "true")
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert "help: " in done.err
    assert became == []


def test_every_option_of_a_gateway_arrives_at_the_agent(offline: Weft, became: list[list[str]], ca: Path) -> None:
    offline(
        "gateway", "run", "--name", "ingress", "--label", "istio=edge", "--bind", "0.0.0.0",
        "--address", "127.0.0.2", "--port-offset", "8000", "--trusted-hops", "1", "--proxy-protocol", "--http3",
        "--workers", "2", "--ca-file", str(ca), "--join-url", "https://127.0.0.1:1",
    )  # fmt: skip
    config = config_of(became)
    assert config.gateway == GatewayConfig(
        bind="0.0.0.0",
        port_offset=8000,
        trusted_hops=1,
        proxy_protocol=True,
        http3=True,
        health_port=23_021,
        workers=2,
    )
    assert (config.address, config.ports, config.http_proxy) == ("127.0.0.2", (), False)


@pytest.mark.parametrize(("bind", "address"), [("127.0.0.3", "127.0.0.3"), ("0.0.0.0", "127.0.0.1")])
def test_the_mesh_reaches_a_gateway_where_it_listens(
    bind: str, address: str, offline: Weft, became: list[list[str]], ca: Path
) -> None:
    offline(
        "gateway", "run", "--name", "ingress", "--bind", bind, "--ca-file", str(ca), "--join-url", "https://127.0.0.1:1"
    )
    assert config_of(became).address == address
