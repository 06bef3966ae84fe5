"""What the agent prepares for its sidecar and application: ports, bootstrap, environment, a place of its own."""

import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from weft.agent.application import environment_of
from weft.agent.backoff import Backoff
from weft.agent.bootstrap import Sockets, bootstrap, introduction
from weft.agent.config import AgentConfig, parse_port, parse_upstream
from weft.agent.credentials import Issued
from weft.agent.ports import Plan, Ports
from weft.agent.workplace import sockets, workplace
from weft.kit.clock import FakeClock
from weft.kit.envoy_binary import EnvoyBinary
from weft.kit.errors import UserError
from weft.model.identity import Identity
from weft.view.node import parse_node

ISSUED = Issued(
    chain="",
    bundle="",
    trust_domain="cluster.local",
    xds_address="127.0.0.1:7071",
    namespace="shop",
    service_account="reviews",
    expires=0,
)
REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")


@pytest.fixture
def config(tmp_path: Path) -> AgentConfig:
    return AgentConfig(
        service="reviews",
        version="v2",
        name="reviews-1",
        command=("true",),
        state_dir=tmp_path,
        ports=(parse_port("9080:auto"), parse_port("admin:9443:8443", "grpc")),
        upstreams=(parse_upstream("orders:50051"),),
        labels=(("zone", "a"),),
        locality="eu/a/1",
    )


def plan_of(config: AgentConfig) -> tuple[Plan, Ports]:
    ports = Ports(random.Random(7))
    return ports.plan(config), ports


def test_the_control_plane_understands_the_introduction(config: AgentConfig) -> None:
    plan, ports = plan_of(config)
    ports.close()
    node = parse_node(REVIEWS, "reviews-1.shop", introduction(config, "shop", plan))
    assert [(inlet.name, inlet.port, inlet.protocol.value) for inlet in node.inlets] == [
        ("http-9080", 9080, "HTTP"),
        ("admin", 9443, "GRPC"),
    ]
    assert [inlet.bind_port for inlet in node.inlets] == [inlet.bind_port for inlet in plan.inlets]
    assert [(outlet.host, outlet.port) for outlet in node.outlets] == [("orders", 50051)]
    assert dict(node.labels) == {
        "app": "reviews",
        "version": "v2",
        "zone": "a",
        "security.istio.io/tlsMode": "istio",
    }
    assert node.http_proxy == ("127.0.0.1", plan.http_proxy)
    assert node.locality == "eu/a/1"


@pytest.mark.live
def test_envoy_accepts_the_bootstrap(config: AgentConfig, tmp_path: Path, envoy: EnvoyBinary) -> None:
    plan, ports = plan_of(config)
    ports.close()
    file = tmp_path / "bootstrap.json"
    file.write_bytes(bootstrap(config, ISSUED, plan, Sockets(admin=tmp_path / "a", sds=tmp_path / "s")))
    checked = subprocess.run(
        [envoy.path, "--mode", "validate", "-c", file, "--concurrency", "1", "--log-level", "warning"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "deprecated" not in checked.stderr.lower()


def test_the_admin_interface_is_a_private_unix_socket(config: AgentConfig, tmp_path: Path) -> None:
    plan, ports = plan_of(config)
    ports.close()
    content = json.loads(bootstrap(config, ISSUED, plan, Sockets(admin=tmp_path / "a", sds=tmp_path / "s")))
    assert content["admin"]["address"] == {"pipe": {"path": str(tmp_path / "a"), "mode": 0o600}}
    assert "private" not in json.dumps(content).lower(), "keys come over SDS only"


def test_a_held_port_is_the_sidecars_alone_and_can_be_taken_again(config: AgentConfig) -> None:
    plan, ports = plan_of(config)
    port = plan.inlets[0].bind_port
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", port))
    for _ in range(2):
        with socket.socket() as sidecar:
            sidecar.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sidecar.bind(("127.0.0.1", port))
            sidecar.listen()
    ports.close()


def test_a_proxy_port_that_another_sidecar_listens_on_is_refused_not_shared(config: AgentConfig) -> None:
    with socket.socket() as other:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("127.0.0.1", 0))
        number = other.getsockname()[1]
        fixed = replace(config, http_proxy_port=number)
        ports = Ports(random.Random(1))
        try:
            assert ports.plan(fixed).http_proxy == number, "a sidecar takes its own port again"
            other.listen()
            second = Ports(random.Random(2))
            with pytest.raises(UserError, match=f"port {number} of 127.0.0.1 is taken"):
                second.plan(fixed)
            second.close()
        finally:
            ports.close()


def test_a_free_application_port_is_outside_the_kernels_range(config: AgentConfig) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    plan, ports = plan_of(config)
    assert plan.inlets[0].app_port < lowest
    assert plan.inlets[1].app_port == 8443
    ports.close()


def test_an_address_of_another_host_is_refused(tmp_path: Path) -> None:
    config = AgentConfig(
        service="r", name="r", command=("true",), state_dir=tmp_path, address="192.0.2.1", ports=(parse_port("80"),)
    )
    ports = Ports(random.Random(7))
    with pytest.raises(UserError, match=r"cannot listen on 192.0.2.1"):
        ports.plan(config)
    ports.close()


def test_the_application_finds_its_ports_and_the_mesh(config: AgentConfig) -> None:
    plan, ports = plan_of(config)
    ports.close()
    environment = environment_of(config, plan, {"HOME": "/x", "NO_PROXY": "example.com"})
    assert environment["PORT"] == environment["WEFT_PORT_HTTP_9080"] == str(plan.inlets[0].app_port)
    assert environment["WEFT_PORT_ADMIN"] == "8443"
    assert environment["WEFT_UPSTREAM_ORDERS"] == f"127.0.0.1:{plan.outlets[0].bind_port}"
    assert environment["HTTP_PROXY"] == environment["http_proxy"] == f"http://127.0.0.1:{plan.http_proxy}"
    assert environment["no_proxy"].split(",") == ["example.com", "localhost", "127.0.0.1", "::1"]
    assert (environment["WEFT_SERVICE"], environment["WEFT_WORKLOAD"]) == ("reviews", "reviews-1")
    assert environment["HOME"] == "/x"


def test_python_passes_trace_headers_on_unless_it_is_told_not_to(config: AgentConfig) -> None:
    plan, ports = plan_of(config)
    ports.close()
    path = environment_of(config, plan, {"PYTHONPATH": "/own"})["PYTHONPATH"].split(os.pathsep)
    assert path[1:] == ["/own"]
    assert (Path(path[0]) / "sitecustomize.py").is_file()
    off = {"PYTHONPATH": "/own", "WEFT_TRACE_HEADERS": "off"}
    assert environment_of(config, plan, off)["PYTHONPATH"] == "/own"


def test_a_second_agent_of_one_name_is_refused(config: AgentConfig) -> None:
    with workplace(config) as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        with pytest.raises(UserError, match="another agent already runs reviews-1"), workplace(config):
            pass
    with workplace(config):
        pass


def test_a_name_cannot_leave_the_directory(config: AgentConfig, tmp_path: Path) -> None:
    for name in ("../x", "", "a/b", "A"):
        bad = AgentConfig(service="r", name=name, command=("true",), state_dir=tmp_path)
        with pytest.raises(UserError), workplace(bad):
            pass


def test_a_deep_directory_gets_short_sockets(tmp_path: Path) -> None:
    with sockets(tmp_path / ("x" * 120)) as paths:
        assert len(str(paths.admin)) < 108
        assert paths.admin.parent.stat().st_mode & 0o777 == 0o700
    assert not paths.admin.parent.exists()


def test_pauses_grow_and_are_forgotten_after_a_good_run() -> None:
    clock = FakeClock()
    backoff = Backoff(clock)
    assert [backoff.pause() for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    backoff.started()
    clock.advance(30)
    assert backoff.pause() == 0.25


def test_the_agent_carries_no_heavy_library() -> None:
    code = (
        "import sys, weft.agent.__main__\n"
        "heavy = {'grpc', 'cryptography', 'starlette', 'uvicorn', 'pydantic', 'click', 'rich', 'structlog', 'yaml'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert loaded.stdout.strip() == ""
