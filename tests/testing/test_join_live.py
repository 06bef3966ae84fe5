"""A host joins once; what it runs afterwards needs no token, and is what roles allow."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from weft.testing.mesh import Mesh
from weft.testing.nurse import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
ENTRIES = "/apis/networking.istio.io/v1/namespaces/shop/workloadentries"


def weft(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "weft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "weft", "run", *arguments], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def test_a_host_lets_its_own_workloads_join_and_no_others(mesh: Mesh, tmp_path: Path) -> None:
    admin = {**os.environ, **mesh.environment}
    host = {**os.environ, "WEFT_STATE": str(tmp_path / "host")}
    made = weft(admin, "token", "create", "-n", "shop", "--service-account", "host-1", "--joins", "web")
    assert made.returncode == 0, made.stderr
    token = tmp_path / "token"
    token.write_text(made.stdout)
    root = Path(mesh.environment["WEFT_STATE"]) / "ca" / "root.pem"
    options = (f"--token-file={token}", f"--join-url={mesh.addresses.agents}", f"--ca-file={root}")
    joined = weft(host, "join", "--name", "host-1", *options)
    assert joined.returncode == 0, joined.stderr
    assert "joined as spiffe://cluster.local/ns/shop/sa/host-1" in joined.stderr
    assert (tmp_path / "host" / "host" / "identity.json").stat().st_mode & 0o777 == 0o600
    assert weft(host, "join", "--name", "host-1", *options).returncode == 0, (
        "its token was used, its certificate is not"
    )

    common = ("--drain-seconds=0", "--port=80:auto", "--health=none", "--", "sleep", "600")
    refused = weft(host, "run", "--service=reviews", *common)
    assert refused.returncode == 5
    assert "this host cannot let reviews join: the host host-1 may not let reviews of shop join" in refused.stderr
    assert "--joins reviews" in refused.stderr
    with running(host, "--service=web", "--name=web-1", *common):
        until(lambda: [one["metadata"]["name"] for one in mesh.api.get(ENTRIES)["items"]] == ["web-1"], "web-1", 30)
    with running(host, "--service=web", "--name=web-1", *common):
        until(lambda: mesh.api.get(ENTRIES)["items"], "web-1 came back with what it has", 30)

    said = weft(admin, "audit", "-o", "json").stdout
    assert '"jointokens"' in said
    mesh.api.ask("DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/host-1-joins")
    assert weft(host, "run", "--service=web", *common).returncode == 5, "a right that is taken is gone at once"
    assert weft(host, "join", "--forget").returncode == 0
    assert weft(host, "join", "--forget").returncode == 4
    assert not (tmp_path / "host" / "host").exists()
