"""``weft diff``: what files would change, with a mesh and without one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Running, Weft
from tests.cli.sidecar import Sidecar

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
"""
WORKLOAD = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-1, namespace: shop, labels: {app: reviews}}
spec: {address: %s, labels: {app: reviews}, serviceAccount: reviews}
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
    - name: slow
      timeout: %s
      route: [{destination: {host: reviews}}]
"""


@pytest.fixture
def sidecar(control_plane: Running, weft: Weft) -> Iterator[str]:
    """A connected sidecar, by name."""
    with Sidecar(control_plane, weft("token", "create", "-n", "shop", "--service-account", "web").out.strip()) as one:
        yield one.name


def _file(folder: Path, *documents: str) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / "mesh.yaml"
    file.write_text("---".join(documents))
    return str(file)


def test_a_change_is_shown_by_sidecar_and_route_and_is_not_made(weft: Weft, tmp_path: Path, sidecar: str) -> None:
    base = _file(tmp_path, SERVICE, WORKLOAD % "10.0.0.1", ROUTE % "5s")
    assert weft("apply", "-f", base).code == 0
    same = weft("diff", "-f", base)
    assert (same.code, same.out) == (0, "")
    assert "0 of 1 proxies would change" in same.err
    told = weft("diff", "-f", _file(tmp_path, SERVICE, WORKLOAD % "10.0.0.1", ROUTE % "7s"))
    assert told.code == 1
    assert told.out.splitlines()[:2] == [sidecar, "  ~ routes http_proxy"]
    assert "virtual host reviews.shop.svc.cluster.local:9080: route slow changed" in told.out
    assert "timeout: 5s" in weft("get", "virtualservice", "reviews", "-n", "shop", "-o", "yaml").out


def test_resources_are_shown_as_unified_diffs(weft: Weft, tmp_path: Path, sidecar: str) -> None:
    assert weft("apply", "-f", _file(tmp_path, SERVICE, WORKLOAD % "10.0.0.1", ROUTE % "5s")).code == 0
    told = weft("diff", "--show", "-f", _file(tmp_path, ROUTE % "7s"))
    removed, added = (line.replace(" ", "") for line in told.out.splitlines() if '"timeout":' in line)
    assert (removed, added) == ('-"timeout":"5s"', '+"timeout":"7s"')
    found = json.loads(weft("diff", "-o", "json", "-f", _file(tmp_path, WORKLOAD % "10.0.0.2")).out)
    (proxy,) = found["proxies"]
    assert proxy["name"] == sidecar
    (change,) = proxy["changes"]
    assert (change["kind"], change["change"]) == ("endpoints", "changed")
    assert change["parts"] == ["endpoint 10.0.0.1:9080 removed", "endpoint 10.0.0.2:9080 added"]


def test_what_would_be_refused_ends_with_more_than_one(weft: Weft, tmp_path: Path) -> None:
    told = weft("diff", "-f", _file(tmp_path, ROUTE % "never"))
    assert told.code == 2
    assert "error[W0108]" in told.err


def test_without_a_mesh_files_are_compared_with_a_directory(weft: Weft, tmp_path: Path) -> None:
    _file(tmp_path / "now", SERVICE, WORKLOAD % "10.0.0.1", ROUTE % "5s")
    file = _file(tmp_path, ROUTE % "7s")
    told = weft("diff", "--server", "https://127.0.0.1:1", "--against", str(tmp_path / "now"), "-f", file)
    assert told.code == 1
    assert told.out.splitlines()[0] == "reviews-1.shop"
    assert "route slow changed" in told.out
    same = weft("diff", "--against", str(tmp_path / "now"), "-f", _file(tmp_path, ROUTE % "5s"))
    assert same.code == 0
