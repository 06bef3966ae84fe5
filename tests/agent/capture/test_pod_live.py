"""Pods: a network of several containers, of which one is the sidecar, known by its group; nobody else is changed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.agent.capture.captive import wait_until
from tests.agent.capture.captured_mesh import VIRTUAL, Mesh, Workload, captured_mesh, headers_of
from tests.agent.capture.lan import Host
from tests.agent.capture.programs import GET, HEARS, REVIEWS, SAYS
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
    wait_until(lambda: mesh.clients.rules() == before)


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
