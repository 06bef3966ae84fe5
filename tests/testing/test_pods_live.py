"""What ``weft inject`` writes, as a kubelet would start it: the sidecar's very arguments and environment."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml

from weft.cli.injection import injected
from weft.cli.pods import Settings
from weft.testing.mesh import Mesh
from weft.testing.nurse import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
spec:
  template:
    metadata: {labels: {app: reviews}}
    spec:
      containers:
      - name: web
        ports: [{name: http-web, containerPort: %d}]
        readinessProbe: {httpGet: {path: /, port: http-web}}
"""


def test_an_injected_pod_serves_calls_and_answers_its_kubelet(mesh: Mesh, tmp_path: Path, free_port) -> None:
    app_port = free_port()
    settings = Settings(image="weft:1", join_url=mesh.addresses.agents)
    pod = yaml.safe_load(injected(MANIFEST % app_port, "test", settings, "default", lambda _: None))
    pod = pod["spec"]["template"]["spec"]
    (sidecar,), (web,) = pod["initContainers"], pod["containers"]

    arguments = _placed(sidecar["args"], mesh, tmp_path)
    told = {one["name"]: one["value"] for one in sidecar["env"] if "value" in one}
    environment = {**mesh.environment, "WEFT_APP_PROBES": told["WEFT_APP_PROBES"]}
    agent = subprocess.Popen(
        [sys.executable, "-m", "weft", *arguments], env={"PYTHONPATH": ":".join(sys.path), **environment}
    )
    app = subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(app_port)], cwd=tmp_path)
    try:
        until((tmp_path / "ready").exists, "the application was never let start", 30)
        probe = web["readinessProbe"]["httpGet"]
        url = f"http://127.0.0.1:{probe['port']}{probe['path']}"
        until(lambda: httpx2.get(url, trust_env=False).status_code == 200, "the probe did not succeed", 10)
        assert httpx2.get(f"{url}x", trust_env=False).status_code == 404
        assert web["env"][0] == {"name": "HTTP_PROXY", "value": "http://127.0.0.1:15001"}
        entries = "/apis/networking.istio.io/v1/namespaces/default/workloadentries"
        until(lambda: mesh.api.get(entries)["items"], "the pod did not register", 20, 0.1)
        caller = mesh.client("web")
        assert mesh.wait_for(lambda: caller.get(f"reviews:{app_port}/").status_code == 200)
        app.kill()
        app.wait()
        assert httpx2.get(url, trust_env=False).status_code == 503
    finally:
        for process in (agent, app):
            process.terminate()
        for process in (agent, app):
            process.wait(30)


def _placed(arguments: list[str], mesh: Mesh, directory: Path) -> list[str]:
    """The arguments with what a kubelet fills in, and a join token in the place of an account's."""
    token = directory / "token"
    token.write_text(mesh.api.post("/weft/v1/tokens", {"namespace": "default", "serviceAccount": "reviews"})["token"])
    text = json.dumps(arguments).replace("$(POD_NAME)", "reviews-1").replace("$(POD_IP)", "127.0.0.1")
    text = text.replace("/etc/weft/ca.pem", str(Path(mesh.environment["WEFT_STATE"]) / "ca" / "root.pem"))
    text = text.replace("/var/run/secrets/weft/token", str(token)).replace("--kubernetes-token-file", "--token-file")
    found: list[str] = json.loads(text.replace("/dev/shm/weft-ready", str(directory / "ready")))
    return found
