"""Capture for a user without rights: programs in a network of their own, through real sidecars, from host to host."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.capture.captive import wait_until
from tests.agent.capture.captured_mesh import VIRTUAL, Mesh, Workload, captured_mesh, children, headers_of, told_of
from tests.agent.capture.nobody import NOBODY, call, home, is_allowed
from tests.agent.capture.programs import GET, HEARS, REVIEWS, SAYS
from tests.agent.capture.tools import CAPTURES

pytestmark = [
    pytest.mark.live,
    pytest.mark.root,
    CAPTURES,
    pytest.mark.timeout(150),
    pytest.mark.skipif(not is_allowed(), reason="users may not have namespaces here"),
]
PYTHON = "/usr/bin/python3"
WEB = "spiffe://cluster.local/ns/shop/sa/web"
LATE = """
import sys, time
time.sleep(1.5)
print("listens now", file=sys.stderr, flush=True)
"""
PACKET = """
import socket
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(5)
try:
    asking.sendto(b"anybody?", ("192.0.2.1", 123))
    asking.recv(1)
except TimeoutError:
    print("waited")
except OSError:
    print("refused")
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with captured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(scope="module")
def rules(mesh: Mesh) -> str:
    """The rules of the client's host before anything was started there."""
    return mesh.clients.rules()


@pytest.fixture(scope="module")
def web(mesh: Mesh, rules: str) -> Iterator[Workload]:
    """A client and a server of HTTP without rights, and a server of bytes with them."""
    program = ("--", PYTHON, "-c")
    with (
        home() as reviews,
        home() as own,
        mesh.workload(
            mesh.servers, "reviews", "--port", "9080", *program, LATE + REVIEWS, state=reviews, through=NOBODY
        ),
        mesh.workload(mesh.servers, "db", "--port", "3306", "--protocol", "tcp", *program, SAYS, "3306", "mysql"),
        mesh.workload(mesh.clients, "web", "--", "sleep", "600", state=own, through=NOBODY) as client,
    ):
        wait_until(lambda: "x-forwarded-client-cert" in call(client, "curl", "-sm", "5", page()))
        yield client


def page(host: str = VIRTUAL["reviews"]) -> str:
    return f"http://{host}:9080/"


@pytest.mark.parametrize("host", [VIRTUAL["reviews"], "reviews", "reviews.shop.svc.cluster.local"])
def test_services_are_called_by_address_and_by_name(web: Workload, host: str) -> None:
    headers = headers_of(call(web, "curl", "-sSm", "5", page(host)))
    assert f"URI={WEB}" in headers["x-forwarded-client-cert"]


def test_a_python_program_is_captured(web: Workload) -> None:
    assert f"URI={WEB}" in headers_of(call(web, PYTHON, "-c", GET, page()))["x-forwarded-client-cert"]


def test_a_server_that_speaks_first_is_heard(web: Workload) -> None:
    assert call(web, PYTHON, "-c", HEARS, VIRTUAL["db"], "3306").startswith("mysql from")


def test_a_captured_program_with_rights_on_its_host_reaches_one_without(mesh: Mesh, web: Workload) -> None:
    headers = headers_of(running(mesh, "db").call("curl", "-sSm", "5", page()))
    assert "URI=spiffe://cluster.local/ns/shop/sa/db" in headers["x-forwarded-client-cert"]


def test_who_is_not_in_the_mesh_cannot_go_round_the_sidecar(mesh: Mesh, web: Workload) -> None:
    for host in (mesh.outside, mesh.servers):
        assert "user-agent" not in host.run("curl", "-sSm", "3", page(mesh.servers.address), check=False)


def test_strangers_are_reached_by_either_family_and_ssh_past_the_sidecar(mesh: Mesh, web: Workload) -> None:
    outside = mesh.outside
    servers = [outside.popen(PYTHON, "-c", SAYS, port, "stranger") for port in ("7000", "22")]
    wait_until(lambda: all(f":{port} " in outside.run("ss", "-ltn") for port in ("7000", "22")))
    try:
        for address in (outside.address, outside.address6):
            for port in ("7000", "22"):
                assert call(web, PYTHON, "-c", HEARS, address, port).startswith("stranger from")
    finally:
        for server in servers:
            server.kill()
            server.communicate()


def test_the_program_has_no_rights_over_its_network(web: Workload) -> None:
    said = Path(f"/proc/{web.child('sleep')}/status").read_text()
    held = [line for line in said.splitlines() if line.startswith(("CapEff", "CapPrm", "CapAmb"))]
    assert all(int(line.split()[1], 16) == 0 for line in held)
    assert "not permitted" in call(web, "nft", "flush", "ruleset")


def test_packets_that_have_no_way_are_refused_at_once(web: Workload) -> None:
    assert call(web, PYTHON, "-c", PACKET) == "refused"


def test_nothing_is_changed_on_the_host(mesh: Mesh, web: Workload, rules: str) -> None:
    assert mesh.clients.rules() == rules


def test_a_port_behind_which_nobody_listens_is_closed(mesh: Mesh, web: Workload) -> None:
    """The agent's check of health would find it open otherwise, and callers be sent there."""
    said = running(mesh, "reviews").said
    assert said.index("listens now") < said.index("reviews is registered")


def test_a_newer_agent_goes_on_with_the_network_and_its_end_is_the_programs(mesh: Mesh, web: Workload) -> None:
    with home() as own, mesh.workload(mesh.outside, "renewed", "--", "sleep", "600", state=own, through=NOBODY) as it:
        program, relay = it.child("sleep"), relay_of(it)
        it.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "becomes the version that is installed" in it.said)
        wait_until(lambda: it.said.count("is registered") == 2, 30)
        assert "x-forwarded-client-cert" in call(it, "curl", "-sSm", "5", page())
        assert (it.child("sleep"), relay_of(it)) == (program, relay)
        os.kill(it.process.pid, signal.SIGKILL)
        it.process.wait(20)
        wait_until(lambda: not Path(f"/proc/{program}").exists() and not Path(f"/proc/{relay}").exists())


def test_what_needs_rights_is_refused_in_words(mesh: Mesh) -> None:
    plan = (*NOBODY, sys.executable, "-m", "weft", "capture", "plan", "--capture-at", "10.0.0.1")
    done = subprocess.run(plan, capture_output=True, text=True, timeout=20, check=False)
    assert "--capture-at does not go with an application in a network of its own" in done.stderr
    assert done.returncode != 0


def test_the_plan_says_what_would_be_done(mesh: Mesh) -> None:
    said = mesh.outside.run(*NOBODY, sys.executable, "-m", "weft", "capture", "plan", "--port", "9080")
    assert "a network of its own" in said
    assert "redirect to" in said


def test_when_the_relay_is_killed_the_workload_ends(mesh: Mesh, web: Workload) -> None:
    """The last of these tests: the server is gone then."""
    reviews = running(mesh, "reviews")
    program = reviews.child("python3")
    os.kill(relay_of(reviews), signal.SIGKILL)
    assert reviews.process.wait(20) != 0
    assert "the relay of the application's network was ended" in reviews.said
    wait_until(lambda: not Path(f"/proc/{program}").exists())


def running(mesh: Mesh, name: str) -> Workload:
    return next(one for one in mesh.running if one.name == name)


def relay_of(workload: Workload) -> int:
    return next(pid for pid in children(workload.process.pid) if b"capture.relay" in told_of(pid, "cmdline"))
