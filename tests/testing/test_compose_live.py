"""What ``weft compose`` writes, as processes: the job that lets sidecars join, and a sidecar's very command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from weft.cli.compose import meshed
from weft.cli.composed import Choices
from weft.testing.mesh import Mesh
from weft.testing.nurse import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
FILE = "services:\n  reviews:\n    image: x\n    expose: [%d]\n"


def test_a_sidecar_of_a_compose_file_joins_and_serves(mesh: Mesh, tmp_path: Path, free_port) -> None:
    app_port, proxy_port = free_port(), free_port()
    services = yaml.safe_load(meshed(FILE % app_port, "x", Choices(image="weft"), str))["services"]
    state = Path(mesh.environment["WEFT_STATE"])
    place = tmp_path / "sidecars" / "reviews"
    place.mkdir(parents=True)

    job = services["weft-joining"]
    script = job["entrypoint"][2].replace("$$", "$").replace("/var/lib/weft", str(state))
    script = script.replace("/sidecars/", f"{tmp_path}/sidecars/").replace("chown -R 1337:1337", "chmod -R u+rwX")
    program = tmp_path / "weft"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m weft "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, **mesh.environment, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    names = {"SERVICES": job["environment"]["SERVICES"], "NAMESPACE": job["environment"]["NAMESPACE"]}

    def join() -> None:
        subprocess.run(["sh", "-euc", script], env={**environment, **names}, check=True, timeout=60)

    join()
    assert (place / "join.token").stat().st_mode & 0o777 == 0o600

    words = [one.replace("/var/lib/weft", str(place)) for one in services["reviews-weft"]["command"]]
    words = [one.replace("/tmp/weft-ready", str(tmp_path / "ready")) for one in words]
    words[words.index("--join-url") + 1] = mesh.addresses.agents
    words[words.index("--http-proxy-port") + 1] = str(proxy_port)
    own = {**environment, "WEFT_STATE": str(place)}
    agent = subprocess.Popen([sys.executable, "-m", "weft", *words], env=own)
    app = subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(app_port)], cwd=place)
    try:
        until((tmp_path / "ready").exists, "the sidecar is not healthy", 30)
        entries = "/apis/networking.istio.io/v1/namespaces/default/workloadentries"
        until(lambda: mesh.api.get(entries)["items"], "the sidecar did not register", 20, 0.1)
        caller = mesh.client("web")
        assert mesh.wait_for(lambda: caller.get(f"reviews:{app_port}/").status_code == 200)
        before = (place / "join.token").stat().st_mtime_ns
        join()
        assert (place / "join.token").stat().st_mtime_ns == before, "who has joined needs no other token"
    finally:
        for process in (agent, app):
            process.terminate()
        for process in (agent, app):
            process.wait(30)
