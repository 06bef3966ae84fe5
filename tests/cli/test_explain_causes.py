"""``weft explain`` names the document of every step, and with files its line."""

import json
from pathlib import Path

from tests.cli.conftest import Running, Weft
from tests.cli.sidecar import Sidecar

DOCUMENTS = """apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-1, namespace: shop}
spec: {address: 10.0.0.1, labels: {app: reviews}, serviceAccount: reviews}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
    - match: [{uri: {prefix: /a}}]
      directResponse: {status: 204}
    - name: all
      route: [{destination: {host: reviews}}]
"""


def test_every_step_names_its_document_and_with_files_the_line(
    weft: Weft, tmp_path: Path, control_plane: Running
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(DOCUMENTS)
    assert weft("apply", "-f", str(file)).code == 0
    token = weft("token", "create", "-n", "shop", "--service-account", "web").out.strip()
    with Sidecar(control_plane, token):
        done = weft("explain", "web", "GET", "http://reviews:9080/b")
        assert "because of VirtualService shop/reviews spec.http[1]" in done.out
        assert "because of Service shop/reviews spec" in done.out
        located = weft("explain", "web", "GET", "http://reviews:9080/b", "-f", str(file))
        assert f"because of VirtualService shop/reviews spec.http[1] ({file}:19)" in located.out
        answer = json.loads(weft("explain", "web", "GET", "http://reviews:9080/a", "-o", "json", "-f", str(file)).out)
    (step,) = [one for one in answer["steps"] if one["name"] == "answer"]
    assert step["what"].startswith("204")
    (cause,) = step["causes"]
    assert cause["path"] == ["spec", "http", 0]
    assert cause["line"] == f"{file}:17"
