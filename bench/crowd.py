"""The bench's side of the scripted clients: certificates for all of them, their process, and what it says."""

import json
import queue
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPSConnection
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric import ec

from bench.certificates import pem_of, request_of
from bench.mesh import NAMESPACE, BenchMesh
from bench.scripted import ACCOUNT, READY
from weft.cli.client import Client
from weft.demo.processes import Failed

_START_SECONDS = 60.0
_PATIENCE = 20.0


@contextmanager
def crowd_of(mesh: BenchMesh, count: int) -> Iterator["Crowd"]:
    """So many clients, all with their first routes, for as long as the block lasts."""
    setup = mesh.directory / "scripted.json"
    setup.touch(mode=0o600)
    setup.write_text(json.dumps(_setup(mesh, count)))
    log = mesh.directory / "scripted.log"
    with log.open("ab") as errors:
        command = [sys.executable, "-m", "bench.scripted", str(setup)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        crowd = Crowd(process.stdout)
        crowd.wait_ready(log)
        yield crowd
    finally:
        process.terminate()
        ended(process)


def ended(process: "subprocess.Popen[str]") -> None:
    """Wait for its end, and bring it about if it takes long."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Crowd:
    """What the clients' process says, line by line."""

    def __init__(self, output: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=[output], daemon=True).start()

    def wait_ready(self, log: Path) -> None:
        """Wait until every client has its first routes; ``log`` is quoted when that does not happen."""
        try:
            while self._next(_START_SECONDS) != READY:
                pass
        except Failed as failure:
            raise Failed(f"{failure}: {log.read_text()[-2000:]}") from None

    def acknowledged(self, marker: str) -> float:
        """When (monotonic seconds, the same clock in all processes) the last client acknowledged it."""
        while True:
            seen, _, moment = self._next(_PATIENCE).partition(" ")
            if seen == marker:
                return float(moment)

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line.strip())
        self._lines.put("ended")

    def _next(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise Failed(f"the scripted clients said nothing for {seconds:g} s") from None
        if line == "ended":
            raise Failed("the scripted clients ended early")
        return line


def _setup(mesh: BenchMesh, count: int) -> dict[str, Any]:
    bundle = mesh.state.bundle.read_text()
    context = ssl.create_default_context(cadata=bundle)
    with mesh.client() as api:
        clients = [_joined(mesh, api, context, number) for number in range(count)]
    return {"address": f"127.0.0.1:{mesh.ports['xds']}", "bundle": bundle, "namespace": NAMESPACE, "clients": clients}


def _joined(mesh: BenchMesh, api: Client, context: ssl.SSLContext, number: int) -> dict[str, Any]:
    """One client's certificate, got as an agent gets it: a token from the API, then a join with it."""
    wanted = {"namespace": NAMESPACE, "serviceAccount": ACCOUNT, "ttlSeconds": 300.0}
    token = api.post("/weft/v1/tokens", wanted)["token"]
    key = ec.generate_private_key(ec.SECP256R1())
    asked = json.dumps({"token": token, "csr": request_of(key)}).encode()
    chain = _join(mesh.ports["agent"], context, f"127.0.0.{number % 250 + 2}", asked)
    name = f"scripted-{number}"
    introduction = {"namespace": NAMESPACE, "workload": name, "http_proxy": ["127.0.0.1", 15001]}
    return {"id": f"{name}.{NAMESPACE}", "weft": json.dumps(introduction), "chain": chain, "key": pem_of(key).decode()}


def _join(port: int, context: ssl.SSLContext, source: str, asked: bytes) -> Any:
    """Join from an address of its own, as another host would: joins are limited by address."""
    connection = HTTPSConnection("127.0.0.1", port, context=context, source_address=(source, 0), timeout=10)
    with closing(connection):
        connection.request("POST", "/v1/join", asked, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = json.load(answer)
    if answer.status != HTTPStatus.OK:
        raise Failed(f"a scripted client could not join: {content}")
    return content["chain"]
