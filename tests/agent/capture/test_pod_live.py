"""Pods: a network of several containers, of which one is the sidecar, known by its group; nobody else is changed."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.agent.capture.captive import wait_until
from tests.agent.capture.captured_mesh import VIRTUAL, Mesh, Workload, captured_mesh, headers_of
from tests.agent.capture.lan import Host
from tests.agent.capture.programs import GET, HEARS, KNOCKS, REVIEWS, SAYS
from tests.agent.capture.tools import CAPTURES

pytestmark = [pytest.mark.live, pytest.mark.root, CAPTURES, pytest.mark.timeout(150)]
PYTHON = "/usr/bin/python3"
CONTAINER = ("setpriv", "--regid=1337", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all,+net_admin", "--nnp")
"""As a kubelet starts the sidecar that ``weft inject --capture`` writes."""
PLACEHOLDER = ("--", "sh", "-c", "exec sleep infinity")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with captured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@contextmanager
def container(host: Host, *command: str) -> Iterator[None]:
    """Another container of a pod: root, as many images have it."""
    process = subprocess.Popen(host.command(*command), stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_containers_of_a_pod_are_in_the_mesh_unchanged(mesh: Mesh) -> None:
    before = mesh.clients.rules()
    pod = {"capture": "--capture=pod", "through": CONTAINER}
    with (
        container(mesh.servers, PYTHON, "-c", REVIEWS),
        container(mesh.servers, PYTHON, "-c", SAYS, "3306", "welcome"),
        mesh.workload(mesh.servers, "reviews", "--port", "9080", *PLACEHOLDER, **pod),
    ):
        wait_until(lambda: ":3306 " in mesh.servers.run("ss", "-ltn"))
        page = f"http://{mesh.servers.address}:9080/"
        refused = mesh.outside.run("curl", "-sS", "--max-time", "3", page, check=False)
        assert "peer" not in refused, "who has no sidecar is not let in: STRICT holds for the pod's own address"
        with mesh.workload(mesh.clients, "web", *PLACEHOLDER, **pod) as web:
            _calls(mesh, web)
            assert "not group 1337" in mesh.clients.weft("capture", "status", runtime=mesh.runtime)
    _clean(mesh, before, "web")


OBSERVED = """
table inet observed {
    chain went {
        type filter hook postrouting priority 0;
        meta skgid != 1337 oifname eth0 tcp flags & (syn | ack) == syn counter
    }
    chain came {
        type filter hook input priority 0;
        iifname eth0 tcp dport 9080 tcp flags & (syn | ack) == syn counter
    }
}
"""
"""Counts connections that go past a sidecar: of the application to other hosts, of other hosts to its ports."""


def test_while_a_sidecar_is_started_again_nothing_goes_past_it(mesh: Mesh, tmp_path: Path) -> None:
    """Killed as a container is, with all that runs in it. The rules are nft's on one host, iptables' on the other."""
    hosts, before = (mesh.clients, mesh.servers), mesh.clients.rules()
    out, back = tmp_path / "out", tmp_path / "in"
    with (
        container(mesh.servers, PYTHON, "-c", REVIEWS),
        container(mesh.servers, PYTHON, "-c", SAYS, "3306", "welcome"),
    ):
        with _sidecars(mesh) as first:
            for host in hosts:
                host.run("nft", "-f", "-", text=OBSERVED)
            for workload in first:
                _kill(workload)
            with (
                container(mesh.clients, PYTHON, "-c", KNOCKS, mesh.servers.address, "3306", str(out)),
                container(mesh.outside, PYTHON, "-c", KNOCKS, mesh.servers.address, "9080", str(back)),
            ):
                wait_until(lambda: _knocks(out) > 20 and _knocks(back) > 20)
                assert {*_heard(out), *_heard(back)} == {"ConnectionRefusedError"}
                with _sidecars(mesh) as (_, web):
                    _calls(mesh, web)
                    assert [_past(host) for host in hosts] == [[0, 0], [0, 0]]
                    assert not [one for one in _heard(back) if one.startswith("answered")]
        for host in hosts:
            host.run("nft", "delete", "table", "inet", "observed")
    _clean(mesh, before, "web")


@contextmanager
def _sidecars(mesh: Mesh) -> Iterator[tuple[Workload, Workload]]:
    pod = {"capture": "--capture=pod", "through": CONTAINER}
    older = ("--capture-with", "iptables")
    with (
        mesh.workload(mesh.servers, "reviews", "--port", "9080", *older, *PLACEHOLDER, **pod) as reviews,
        mesh.workload(mesh.clients, "web", *PLACEHOLDER, **pod) as web,
    ):
        yield reviews, web


def _kill(workload: Workload) -> None:
    agent = psutil.Process(workload.process.pid)
    for one in (agent, *agent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    workload.process.wait(20)


def _heard(file: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _knocks(file: Path) -> int:
    return sum(_heard(file).values())


def _past(host: Host) -> list[int]:
    return [
        int(found)
        for found in re.findall(r"counter packets (\d+)", host.run("nft", "list", "table", "inet", "observed"))
    ]


def _clean(mesh: Mesh, before: str, name: str) -> None:
    """The rules are a pod's, and end with its network; somebody may end them before."""
    assert mesh.clients.rules() != before
    assert "kept" in mesh.clients.weft("capture", "status", runtime=mesh.runtime)
    assert f"undone: {name}" in mesh.clients.weft("capture", "clean", name, runtime=mesh.runtime)
    assert mesh.clients.rules() == before


def _calls(mesh: Mesh, web: Workload) -> None:
    url = f"http://{VIRTUAL['reviews']}:9080/"
    assert web.process.poll() is None
    wait_until(lambda: "x-forwarded-client-cert" in mesh.clients.run(PYTHON, "-c", GET, url, check=False), 30)
    headers = headers_of(mesh.clients.run(PYTHON, "-c", GET, url))
    assert "spiffe://cluster.local/ns/shop/sa/web" in headers["x-forwarded-client-cert"]
    by_name = headers_of(mesh.clients.run(PYTHON, "-c", GET, "http://reviews:9080/"))
    assert "x-forwarded-client-cert" in by_name, "names are the sidecar's, too"
    straight = mesh.clients.run(PYTHON, "-c", HEARS, mesh.servers.address, "3306")
    assert straight.startswith("welcome"), "a port that is not the mesh's is reached as before"
