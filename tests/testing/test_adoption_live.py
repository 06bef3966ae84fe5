"""Adoption, step by step: callers with and without a sidecar side by side, the report, then STRICT."""

import os
import subprocess
import sys

import httpx2
import pytest

from weft.testing.mesh import Mesh

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
LEGACY = "127.0.0.9"
ENTRY = f"""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: batch-1, labels: {{app: batch}}}}
spec: {{address: {LEGACY}, labels: {{app: batch}}}}
"""
STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  mtls: {mode: STRICT}
"""


def report(mesh: Mesh, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "weft", "report", "plaintext", *options],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **mesh.environment},
    )  # fmt: skip
    return done.stdout


def test_an_unmeshed_caller_is_named_by_the_report_and_refused_by_strict(mesh: Mesh) -> None:
    reviews = mesh.run("reviews", lambda request: f"well {request.path}")
    web = mesh.client("web")
    mesh.apply(ENTRY)
    assert web.get("reviews/meshed").text == "well /meshed"
    url = f"http://{reviews.inbound(mesh.api)}/nightly"
    with httpx2.Client(transport=httpx2.HTTPTransport(local_address=LEGACY)) as legacy:
        assert legacy.get(url).text == "well /nightly", "PERMISSIVE takes both"

    def reported() -> dict[str, object]:
        found = {one["service"]: one for one in mesh.api.get("/weft/v1/reports/plaintext")["items"]}["reviews"]
        assert (found["calls"], found["plaintext"]) == (2, 1)
        return found

    found = mesh.wait_for(reported, "both calls in the report", 20)
    assert (found["verdict"], found["mtls"]) == ("breaks", "PERMISSIVE")
    (caller,) = found["callers"]
    assert (caller["address"], caller["workloads"]) == (LEGACY, ["batch-1.default"])
    line = next(line for line in report(mesh).splitlines() if line.startswith("default/reviews"))
    assert line.split()[1:5] == ["PERMISSIVE", "2", "1", "break"]
    assert "batch-1.default (127.0.0.9)" in line
    assert "1 calls of port" in report(mesh, "-o", "wide")
    assert report(mesh, "-A", "-o", "name").split() == ["default/batch", "default/reviews", "default/web"]

    mesh.apply(STRICT)
    with (
        httpx2.Client(transport=httpx2.HTTPTransport(local_address=LEGACY)) as legacy,
        pytest.raises(httpx2.TransportError),
    ):
        legacy.get(url)
    assert web.get("reviews/meshed").status_code == 200
    assert (
        next(one for one in mesh.api.get("/weft/v1/reports/plaintext")["items"] if one["service"] == "reviews")[
            "verdict"
        ]
        == "strict"
    )
