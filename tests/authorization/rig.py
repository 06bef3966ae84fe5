"""One real Envoy before an application, given the guards of one mesh after another through weft's xDS server."""

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.authorization.callers import Outcome, Request, call
from tests.compiler.sidecars import Sidecar
from tests.intents.control import Control
from tests.intents.minimesh import _envoy, _is_warm, until
from tests.ports import held_port
from tests.xds.certificates import Root
from weft.compiler.resources import resources_of
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.service import Protocol
from weft.view.build import view_of
from weft.view.node import Inlet, Node

PORTS = {"http": 8080, "http2": 8081, "grpc": 7070, "tcp": 9000}


class _Application(BaseHTTPRequestHandler):
    """Tells in a header what it saw, so that answers without a body tell it too."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_any(self) -> None:
        path = self.requestline.split()[1]
        seen = {"path": path, "headers": {name.lower(): value for name, value in self.headers.items()}}
        self.send_response(200)
        self.send_header("x-app-saw", json.dumps(seen))
        if self.headers.get("content-type") == "application/grpc":
            self.send_header("content-type", "application/grpc")
            self.send_header("grpc-status", "0")
        self.send_header("content-length", "0")
        self.end_headers()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_any
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def application() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Application)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Rig:
    """The application's side of a mesh: ``ports`` are those of its sidecar, by name."""

    def __init__(self, control: Control, node: Node, ports: dict[str, int], directory: Path) -> None:
        self.node = node
        self.ports = ports
        self.sidecar: Sidecar
        self._control = control
        self._directory = directory
        self._rogue = Root()

    def serve(self, mesh: Mesh) -> None:
        """Make this the mesh; returns once the sidecar uses it."""
        self._control.offer({self.node.id: resources_of(view_of(mesh, self.node))})
        until(lambda: _is_warm(self.sidecar))

    def certificate(self, described: dict[str, Any] | None, name: str) -> str | None:
        """The directory with a caller's key and chain; see ``Request.certificate``."""
        if described is None:
            return None if name == "plaintext" else ""
        home = self._directory / "callers" / name
        if not home.is_dir():
            home.mkdir(parents=True)
            uris = described["uri"] if isinstance(described["uri"], list) else [described["uri"]]
            root = self._rogue if described.get("ca") == "rogue" else self._control.root
            key, chain = root.workload(*uris)
            (home / "key.pem").write_bytes(key)
            (home / "chain.pem").write_bytes(_dated(root, chain, described))
        return str(home)

    def call(self, request: Request) -> Outcome:
        """Send a request."""
        return call(request)


def _dated(root: Root, chain: bytes, described: dict[str, Any]) -> bytes:
    """The same certificate, valid at other times."""
    if "days" not in described and "start_min" not in described:
        return chain
    old = x509.load_pem_x509_certificate(chain)
    now = dt.datetime.now(dt.UTC)
    start = now + dt.timedelta(minutes=described.get("start_min", -60))
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + dt.timedelta(days=described.get("days", 1)))
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return root.signed(builder).public_bytes(serialization.Encoding.PEM)


def node_of(ports: dict[str, int], app: int, labels: dict[str, str]) -> Node:
    """The sidecar of httpbin, as its agent introduces it."""
    inlets = tuple(
        Inlet(
            name=name,
            port=number,
            bind="127.0.0.1",
            bind_port=ports[name],
            app_port=app,
            protocol=Protocol.TCP if name == "tcp" else Protocol.HTTP,
        )
        for name, number in PORTS.items()
    )
    return Node(
        id="httpbin.foo",
        namespace="foo",
        workload="httpbin",
        identity=Identity(trust_domain="cluster.local", namespace="foo", account="httpbin"),
        labels=tuple(sorted(labels.items())),
        inlets=inlets,
    )


@contextlib.contextmanager
def rig(directory: Path, mesh: Mesh) -> Iterator[Rig]:
    """Everything until the block ends."""
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(application())
        ports = {name: stack.enter_context(held_port()) for name in PORTS}
        node = node_of(ports, app, {"app": "httpbin", "version": "v1"})
        control = Control(Root(), {node.id: node.identity.uri}, directory / "sds.sock", directory)
        xds = control.start()
        stack.callback(control.stop)
        control.prepare({node.id: resources_of(view_of(mesh, node))})
        made = Rig(control, node, ports, directory)
        made.sidecar = stack.enter_context(_envoy(node, control, xds, directory, workers=1))
        made.sidecar.wait()
        yield made
