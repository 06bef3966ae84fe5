"""Programs that know nothing of a mesh, captured as they are: through real sidecars, from host to host."""

import shutil
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.agent.capture.captive import wait_until
from tests.agent.capture.captured_mesh import (
    KILLED,
    VIRTUAL,
    Mesh,
    Workload,
    captured_mesh,
    crash,
    headers_of,
    is_as_before,
)
from tests.agent.capture.programs import ECHO, GET, HEARS, NODE_GET, REVIEWS, SAY, SAYS
from tests.agent.capture.tools import CAPTURES

pytestmark = [pytest.mark.live, pytest.mark.root, CAPTURES, pytest.mark.timeout(150)]
WEB = "spiffe://cluster.local/ns/shop/sa/web"
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with captured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(scope="module")
def web(mesh: Mesh) -> Iterator[Workload]:
    """A client that is no server, and all servers."""
    program = ("--", sys.executable, "-c")
    with (
        mesh.workload(mesh.servers, "reviews", "--port", "9080", *program, REVIEWS),
        mesh.workload(mesh.servers, "db", "--port", "3306", "--protocol", "tcp", *program, SAYS, "3306", "mysql"),
        mesh.workload(mesh.servers, "echo", "--port", "50051", "--protocol", "grpc", *program, ECHO),
        mesh.workload(mesh.clients, "web", "--", "sleep", "600") as client,
    ):
        wait_until(lambda: "x-forwarded-client-cert" in client.call("curl", "-sm", "5", page("reviews")))
        yield client


def page(service: str) -> str:
    return f"http://{VIRTUAL[service]}:9080/"


def test_curl_is_captured(web: Workload) -> None:
    headers = headers_of(web.call("curl", "-sSm", "5", page("reviews")))
    assert f"URI={WEB}" in headers["x-forwarded-client-cert"]


@pytest.mark.parametrize("name", ["reviews", "reviews.shop", "reviews.shop.svc.cluster.local"])
def test_services_are_called_by_name(web: Workload, name: str) -> None:
    headers = headers_of(web.call("curl", "-sSm", "5", f"http://{name}:9080/"))
    assert f"URI={WEB}" in headers["x-forwarded-client-cert"]


def test_names_lead_to_bytes_and_to_grpc_too(web: Workload) -> None:
    assert web.call(PYTHON, "-c", HEARS, "db", "3306").startswith("mysql from")
    assert web.call(sys.executable, "-c", SAY, "echo:50051").startswith("hello for ")


def test_a_service_that_is_not_there_has_no_name(web: Workload) -> None:
    said = web.call("curl", "-sSm", "5", "http://nobody.shop.svc.cluster.local:9080/")
    assert "Could not resolve host" in said


def test_a_python_program_is_captured(web: Workload) -> None:
    headers = headers_of(web.call(PYTHON, "-c", GET, page("reviews")))
    assert f"URI={WEB}" in headers["x-forwarded-client-cert"]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_a_node_program_is_captured(web: Workload) -> None:
    headers = headers_of(web.call("node", "-e", NODE_GET, page("reviews")))
    assert f"URI={WEB}" in headers["x-forwarded-client-cert"]


def test_a_grpc_program_is_captured(web: Workload) -> None:
    said = web.call(sys.executable, "-c", SAY, f"{VIRTUAL['echo']}:50051")
    assert said.startswith("hello for ")
    assert f"URI={WEB}" in said
    assert said.endswith("012")


def test_a_server_that_speaks_first_is_heard(web: Workload) -> None:
    assert web.call(PYTHON, "-c", HEARS, VIRTUAL["db"], "3306").startswith("mysql from")


def test_a_program_beside_it_is_not_captured_and_finds_nobody_at_a_virtual_address(mesh: Mesh, web: Workload) -> None:
    done = mesh.clients.run("curl", "-sSm", "1", page("reviews"), check=False)
    assert done == ""


@pytest.mark.parametrize("where", ["outside", "servers"])
def test_who_is_not_in_the_mesh_cannot_go_round_the_sidecar(mesh: Mesh, web: Workload, where: str) -> None:
    """Not from another host, nor from the same, by whatever address: the mesh is strict."""
    host, servers = getattr(mesh, where), mesh.servers
    local = ["127.0.0.1", "[::1]"] if host is servers else []
    for address in (servers.address, f"[{servers.address6}]", *local):
        said = host.run("curl", "-sSm", "3", f"http://{address}:9080/", check=False)
        assert "user-agent" not in said


def test_what_the_mesh_does_not_know_is_reached_as_without_capture(mesh: Mesh, web: Workload) -> None:
    outside = mesh.outside
    server = outside.popen(PYTHON, "-c", SAYS, "7000", "stranger")
    wait_until(lambda: ":7000 " in outside.run("ss", "-ltn"))
    try:
        for address in (outside.address, outside.address6):
            assert web.call(PYTHON, "-c", HEARS, address, "7000").startswith("stranger from")
    finally:
        server.kill()
        server.communicate()


def test_the_hosts_other_ports_are_reached_as_ever(mesh: Mesh, web: Workload) -> None:
    """Such as that of SSH."""
    server = mesh.servers.popen(PYTHON, "-c", SAYS, "22", "ssh")
    wait_until(lambda: ":22 " in mesh.servers.run("ss", "-ltn"))
    try:
        assert mesh.outside.run(PYTHON, "-c", HEARS, mesh.servers.address, "22") == f"ssh from {mesh.outside.address}\n"
        assert web.call(PYTHON, "-c", HEARS, mesh.servers.address, "22") == f"ssh from {mesh.clients.address}"
    finally:
        server.kill()
        server.communicate()


def test_a_service_that_calls_itself_comes_in_by_its_own_sidecar(mesh: Mesh, web: Workload) -> None:
    (reviews,) = (one for one in mesh.running if one.name == "reviews")
    headers = headers_of(reviews.call("curl", "-sSm", "5", page("reviews")))
    assert "URI=spiffe://cluster.local/ns/shop/sa/reviews" in headers["x-forwarded-client-cert"]


def test_a_workload_known_by_its_user_is_captured_too(mesh: Mesh, web: Workload) -> None:
    program = ("--port", "8000", "--run-as", "games", "--", PYTHON, "-c", SAYS, "8000", "user")
    before = mesh.clients.rules()
    with mesh.workload(mesh.clients, "byuser", *program, capture="--capture=user") as workload:
        assert "user 5" in mesh.clients.weft("capture", "status", runtime=mesh.runtime)
        become = ("setpriv", "--reuid", "games", "--regid", "games", "--clear-groups")
        said = mesh.clients.run(*become, "curl", "-sSm", "5", page("reviews"))
        assert "URI=spiffe://cluster.local/ns/shop/sa/byuser" in headers_of(said)["x-forwarded-client-cert"]
        assert workload.process.poll() is None
    wait_until(lambda: mesh.clients.rules() == before)


def test_a_groups_annotations_say_what_is_left_out(mesh: Mesh, web: Workload) -> None:
    with mesh.workload(mesh.outside, "annotated", "--group", "annotated", "--", "sleep", "600"):
        assert "tcp dport { 22, 7070 } return" in mesh.outside.rules()


def test_a_newer_agent_goes_on_with_the_rules_and_still_undoes_them(mesh: Mesh, web: Workload) -> None:
    before = mesh.outside.rules()
    with mesh.workload(mesh.outside, "renewed", "--", "sleep", "600") as workload:
        captured, guardian = mesh.outside.rules(), workload.child("sh")
        workload.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "becomes the version that is installed" in workload.said)
        wait_until(lambda: workload.said.count("is registered") == 2, 30)
        assert "x-forwarded-client-cert" in workload.call("curl", "-sSm", "5", page("reviews"))
        assert (mesh.outside.rules(), workload.child("sh")) == (captured, guardian)
        workload.process.send_signal(signal.SIGKILL)
        workload.process.wait(20)
        wait_until(lambda: mesh.outside.rules() == before)


@pytest.mark.parametrize("killed", KILLED)
def test_whatever_is_killed_no_rule_is_left(mesh: Mesh, web: Workload, killed: str) -> None:
    before = mesh.outside.rules()
    with mesh.workload(mesh.outside, "brief", "--", "sleep", "600") as workload:
        assert mesh.outside.rules() != before
        crash(workload, killed)
    is_as_before(mesh, mesh.outside, before, "brief")
