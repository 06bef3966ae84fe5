"""What a change of the mesh costs captured connections that it is not about: nothing."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import static_bootstrap
from tests.compiler.certificates import Authority
from tests.compiler.sidecars import Sidecar
from tests.view.meshes import mesh, node, service, workload
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from weft.compiler.names import captured_listener_name
from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.kit.envoy_binary import find_envoy
from weft.model.service import Port, Protocol, Service
from weft.view.build import view_of
from weft.view.node import Capture

pytestmark = pytest.mark.live


def _resources(port: int, server: int, *more: Service) -> Resources:
    bytes_port = Port(number=port, name="tcp", protocol=Protocol.TCP)
    ledger = replace(service("ledger", bytes_port), addresses=("127.0.0.1",))
    ledger = replace(ledger, ports=(replace(bytes_port, target=server),))
    found = mesh(ledger, *more, workloads=[workload("ledger", meshed=False)])
    capture = Capture(outbound=15001, inbound=15006)
    return resources_of(view_of(found, replace(node(http_proxy=None), capture=capture)))


def _offer(file: Path, resources: Resources, port: int) -> None:
    """The port's listener, with a socket of its own, as this test has no rules that turn connections to it."""
    known = static_bootstrap(resources, file.parent).static_resources.listeners
    listener = next(one for one in known if one.name == captured_listener_name(port))
    listener.ClearField("bind_to_port")
    offer = DiscoveryResponse()
    offer.resources.add().Pack(listener)
    new = file.with_suffix(".new")
    new.write_bytes(offer.SerializeToString())
    os.replace(new, file)


@contextlib.contextmanager
def _running(directory: Path, resources: Resources, file: Path) -> Iterator[Sidecar]:
    secrets = Authority().secrets("spiffe://cluster.local/ns/shop/sa/web")
    bootstrap = static_bootstrap(resources, directory, secrets, admin="admin.sock")
    del bootstrap.static_resources.listeners[:]
    bootstrap.dynamic_resources.lds_config.path_config_source.path = str(file)
    path, log = directory / "bootstrap.pb", directory / "envoy.log"
    path.write_bytes(bootstrap.SerializeToString())
    options = ("--drain-strategy", "immediate", "--drain-time-s", "1", "--log-level", "warning")
    command = [str(find_envoy().path), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    with log.open("wb") as output, subprocess.Popen([*command, *options], stderr=output) as process:
        found = Sidecar(process, directory, log)
        try:
            found.wait()
            yield found
        finally:
            process.terminate()


def _echo(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while said := connection.recv(100):
            connection.sendall(said)


def test_a_new_service_at_a_port_ends_nobodys_connections(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port, file = free_port(), tmp_path / "listeners.pb"
    other = replace(service("other", Port(number=port, name="tcp", protocol=Protocol.TCP)), addresses=("127.0.0.2",))
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        number = server.getsockname()[1]
        first = _resources(port, number)
        _offer(file, first, port)
        with _running(tmp_path, first, file) as running, socket.create_connection(("127.0.0.1", port), 5) as kept:
            kept.sendall(b"before")
            assert kept.recv(100) == b"before"
            _offer(file, _resources(port, number, other), port)
            deadline = time.monotonic() + 10
            while running.statistic("listener_manager.listener_in_place_updated") < 1:
                assert time.monotonic() < deadline, running.ask("/stats?filter=listener_manager")
                time.sleep(0.05)
            assert running.statistic("listener_manager.listener_modified") == 1
            time.sleep(2)
            kept.sendall(b"after")
            assert kept.recv(100) == b"after"
        server.shutdown(socket.SHUT_RDWR)
