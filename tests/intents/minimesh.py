"""A mesh of real Envoys for all intents: one caller and a sidecar for each server of the world, each offered new
resources from intent to intent through weft's xDS server."""

import contextlib
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from msgspec.structs import replace

from tests.compiler.sidecars import Sidecar
from tests.intents.applications import Notes, application, packets, speaker
from tests.intents.control import Control
from tests.intents.intent import EDGE, caller, gateway, server
from tests.ports import held_port
from tests.xds.certificates import Root
from weft.agent.bootstrap import RUNTIME
from weft.agent.reporting import buckets, reporting
from weft.compiler.credentials import authorities_secret, certificate_secret
from weft.compiler.resource import Resource, Resources, SecretUse
from weft.compiler.resources import resources_of
from weft.dialects.syntax import is_ip
from weft.kit.envoy_binary import find_envoy
from weft.model.credential import permitted, places_of
from weft.model.mesh import Mesh
from weft.model.reporting import PEER_VARIABLE, peer_of
from weft.model.service import Service
from weft.model.workload import Workload
from weft.view.build import view_of
from weft.view.node import Node, Outlet

SERVERS = ("reviews-v1", "reviews-v2", "reviews-v3", "ratings-v1")
CALLER = "web-1"
OUTSIDE = "outside"
"""The application that stands for every host outside the mesh; no sidecar is in front of it."""
_OUTLET = "outlet"
_EDGE_PORTS = (80, 443, 8443, 9000, 15443)
"""The ports that intents' gateways may open."""
SECURE = "secure"
"""One more that speaks TLS, in the place of every endpoint of a service entry that is called so."""
SPEAKER = "speaker"
"""One that speaks before its caller, in the place of every endpoint of a service entry that is called so."""
PACKETS = "packets"
"""One of UDP, in the place of workloads that are called so."""
_SECURE_HOST = "secure.example.com"


class MiniMesh:
    """What a live test sees: the ports to call, what the applications noted, and the way to another intent."""

    def __init__(
        self, control: Control, notes: Notes, applications: dict[str, int], ports: dict[str, int], host: Path
    ) -> None:
        self.notes = notes
        self.proxy = ports[CALLER]
        self.outlet = ports[_OUTLET]
        self.ports = ports
        self._host = host
        self._control = control
        self.applications = applications
        self._client = caller(CALLER).id
        self.sidecars: dict[str, Sidecar] = {}

    @property
    def client(self) -> Sidecar:
        """The caller's Envoy."""
        return self.sidecars[self._client]

    def serve(
        self,
        mesh: Mesh,
        of: str = CALLER,
        outlets: tuple[Outlet, ...] = (),
        altered: Callable[[Resources], Resources] | None = None,
    ) -> Mesh:
        """Make this the mesh, seen by the caller's Envoy as ``of`` sees it; returned with real addresses.

        ``altered`` changes what the caller's Envoy is sent.
        """
        placed = self._placed(mesh)
        offers = self._offers(placed, CALLER if of == EDGE else of, outlets)
        if altered is not None:
            offers[self._client] = altered(offers[self._client])
        self._control.offer(offers)
        self.warm()
        return placed

    def alter(self, altered: Callable[[str, Resources], Resources]) -> None:
        """Offer each proxy what is made of its name and what it has, and return once all use it."""
        known = {name: self._control.fleet.resources(name) for name in self.sidecars}
        self._control.offer({name: altered(name, found) for name, found in known.items() if found is not None})

    def warm(self) -> None:
        """Return once nothing warms any more."""
        until(lambda: all(_is_warm(sidecar) for sidecar in self.sidecars.values()))

    def prepare(self, mesh: Mesh, outlets: tuple[Outlet, ...] = ()) -> None:
        """The mesh that Envoys find when they start."""
        self._control.prepare(self._offers(self._placed(mesh), CALLER, outlets))

    def _offers(self, mesh: Mesh, of: str, outlets: tuple[Outlet, ...] = ()) -> dict[str, Resources]:
        client = self._with_secrets(caller(of, self.proxy, outlets), mesh)
        servers = (self.node(name) for name in SERVERS)
        others = (*servers, gateway(self.ports[EDGE]))
        return {self._client: client} | {node.id: self._with_secrets(node, mesh) for node in others}

    def _with_secrets(self, node: Node, mesh: Mesh) -> Resources:
        """A proxy's resources with the Secrets that it may have, in whose place files of the host are sent."""
        found = resources_of(view_of(mesh, node))
        secrets = [_secret(use, self._host / "tls") for use in found.secrets if _is_given(use, node, mesh)]
        ordered = sorted((*found.resources, *secrets), key=lambda one: (one.type_url, one.name))
        return replace(found, resources=tuple(ordered))

    def application(self, name: str) -> int:
        """The port of an application itself."""
        return self.applications[name]

    def edge_port(self, port: int) -> int:
        """Where the gateway opens a port that documents name."""
        return self.ports[EDGE] + port

    def certificate(self, of: str) -> tuple[Path, Path]:
        """The chain and key of a client outside the mesh, or of a stranger whom nobody trusts."""
        names = {"client": ("chain.pem", "key.pem"), "stranger": ("other-chain.pem", "other-key.pem")}[of]
        return (self._host / "tls" / names[0], self._host / "tls" / names[1])

    def node(self, name: str) -> Node:
        """A server's sidecar as it introduces itself."""
        return server(name, self.ports[name], self.applications[name])

    def _placed(self, mesh: Mesh) -> Mesh:
        """The mesh with the addresses of this machine."""
        names = {
            port.name: port.target if isinstance(port.target, int) else port.number
            for service in mesh.services.values()
            for port in service.ports
        }
        return replace(
            mesh,
            workloads=tuple(self._workload(one, names) for one in mesh.workloads),
            services={host: self._service(one, names) for host, one in mesh.services.items()},
            others=tuple(self._service(one, names) for one in mesh.others),
        )

    def _workload(self, workload: Workload, names: dict[str, int]) -> Workload:
        address = "127.0.0.1" if is_ip(workload.address) else workload.address
        stands = workload.name if workload.name in self.applications else stand_in(workload.name)
        if stands == EDGE:
            ports = {name: self.edge_port(number) for name, number in names.items()}
        else:
            port = self.ports.get(stands) or self.applications[stands]
            ports = dict.fromkeys(names, port)
        return replace(workload, address=address, ports=tuple(sorted(ports.items())))

    def _service(self, service: Service, names: dict[str, int]) -> Service:
        return replace(service, endpoints=tuple(self._workload(one, names) for one in service.endpoints))


@contextlib.contextmanager
def minimesh(directory: Path, world: Mesh, workers: int = 1, others: Sequence[Any] = ()) -> Iterator[MiniMesh]:
    """Everything until the block ends; Envoys start with the world as it is without any intent.

    ``others`` are handlers that the control plane has beside xDS.
    """
    notes = Notes()
    with contextlib.ExitStack() as stack:
        applications = {name: stack.enter_context(application(name, notes)) for name in (*SERVERS, OUTSIDE)}
        tls = secure_host(directory / "tls")
        applications[SECURE] = stack.enter_context(application(SECURE, notes, tls))
        ports = {name: stack.enter_context(held_port()) for name in (*SERVERS, CALLER, _OUTLET)}
        applications[PACKETS] = stack.enter_context(packets())
        applications[SPEAKER] = stack.enter_context(speaker())
        ports[EDGE] = stack.enter_context(_held_offset())
        nodes = [caller(CALLER), *(server(name) for name in SERVERS), gateway(ports[EDGE])]
        uris = {node.id: node.identity.uri for node in nodes}
        control = Control(Root(), uris, directory / "sds.sock", directory, others)
        port = control.start()
        stack.callback(control.stop)
        mesh = MiniMesh(control, notes, applications, ports, directory)
        mesh.prepare(world)
        started = {node.id: stack.enter_context(_envoy(node, control, port, directory, workers)) for node in nodes}
        for sidecar in started.values():
            sidecar.wait()
        mesh.sidecars = started
        yield mesh


def _is_given(use: SecretUse, node: Node, mesh: Mesh) -> bool:
    places = places_of(use.credential, node.namespace, authorities=use.authorities)
    allowed = permitted(use.credential, node.namespace, gateway=node.gateway is not None)
    return allowed and any(place in mesh.credentials for place in places)


def _secret(use: SecretUse, home: Path) -> Resource:
    """A server's certificate where the name says so, else a client's."""
    if use.authorities:
        return authorities_secret(use.name, (home / "ca.pem").read_bytes())
    kind = "server-" if "server" in use.name else ""
    return certificate_secret(
        use.name, (home / f"{kind}chain.pem").read_bytes(), (home / f"{kind}key.pem").read_bytes()
    )


def stand_in(name: str) -> str:
    """The application that stands for a workload: one whose name it ends with, or one outside the mesh."""
    if (special := name.partition("-")[0]) in (SECURE, SPEAKER, PACKETS):
        return special
    if name.startswith(f"{EDGE}-"):
        return EDGE
    return next((one for one in (*SERVERS, CALLER) if name.endswith(one)), OUTSIDE)


def secure_host(home: Path) -> ssl.SSLContext:
    """The files that documents name below ``/tls``, and what a server that they are for speaks."""
    home.mkdir()
    root = Root()
    server_key, server_chain = root.issue(x509.DNSName(_SECURE_HOST))
    key, chain = root.workload("spiffe://client.example.com/web")
    other = Root()
    files = {"ca.pem": root.pem, "other-ca.pem": other.pem, "key.pem": key, "chain.pem": chain}
    files["revoked.pem"] = root.revoked(server_chain, chain)
    files["other-key.pem"], files["other-chain.pem"] = other.workload("spiffe://client.example.com/web")
    for name, content in (files | {"server-key.pem": server_key, "server-chain.pem": server_chain}).items():
        (home / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(home / "ca.pem"))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(home / "server-chain.pem", home / "server-key.pem")
    return context


@contextlib.contextmanager
def _held_offset() -> Iterator[int]:
    """How much higher the gateway opens its ports, so that each of them is one that nobody else is given.

    All are among those that the kernel gives out, for it gives none that is held; agents look for ports below them.
    """
    with contextlib.ExitStack() as stack:
        for offset in range(33_000 + os.getpid() % 1000, 45_000, 131):
            try:
                with contextlib.ExitStack() as held:
                    for port in _EDGE_PORTS:
                        held.enter_context(held_port(offset + port))
                    stack.enter_context(held.pop_all())
            except OSError:
                continue
            yield offset
            return
    raise AssertionError("there are no free ports")


def _is_warm(sidecar: Sidecar) -> bool:
    """Acknowledged is not yet used: clusters and listeners warm first, and connections go by what was before."""
    return all(line.endswith(": 0") for line in sidecar.ask("/stats?filter=warming|draining").splitlines())


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@contextlib.contextmanager
def _envoy(node: Node, control: Control, port: int, directory: Path, workers: int) -> Iterator[Sidecar]:
    home = directory / node.workload
    home.mkdir()
    key, chain = control.root.workload(node.identity.uri)
    for name, content in (("key.pem", key), ("chain.pem", chain), ("root.pem", control.root.pem)):
        (home / name).write_bytes(content)
    (home / "bootstrap.json").write_text(json.dumps(_bootstrap(node, port, home, directory / "sds.sock")))
    command = [str(find_envoy().path), "--config-path", str(home / "bootstrap.json"), "--concurrency", str(workers)]
    # What a changed listener leaves is closed within a second: no test meets the connections of another.
    command += ["--drain-strategy", "immediate", "--drain-time-s", "1"]
    # Envoy keeps lines of access logs for ten seconds otherwise.
    command += ["--disable-hot-restart", "--log-level", "warning", "--file-flush-interval-msec", "100"]
    log = home / "envoy.log"
    environment = os.environ | {PEER_VARIABLE: peer_of(node.workload, node.namespace, node.labels).text}
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment) as process:
        try:
            yield Sidecar(process, home, log)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _bootstrap(node: Node, port: int, home: Path, sds: Path) -> dict[str, Any]:
    grpc_service = {"envoy_grpc": {"cluster_name": "xds"}}
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    said = {"workload": node.workload, "labels": node.labels}
    xds_address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "node": {"id": node.id, "cluster": node.workload, "metadata": {"weft": json.dumps(said)}},
        "admin": {"address": {"pipe": {"path": str(home / "admin.sock"), "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [grpc_service],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "layered_runtime": {"layers": [{"name": "weft", "static_layer": RUNTIME}]},
        "stats_config": {"histogram_bucket_settings": buckets()},
        **reporting(),
        "static_resources": {
            "clusters": [
                _static("xds", xds_address) | {"transport_socket": _tls(home)},
                _static("sds", {"pipe": {"path": str(sds)}}),
            ]
        },
    }


def _static(name: str, address: dict[str, Any]) -> dict[str, Any]:
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def _tls(home: Path) -> dict[str, Any]:
    certificate = {
        "certificate_chain": {"filename": str(home / "chain.pem")},
        "private_key": {"filename": str(home / "key.pem")},
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "localhost",
            "common_tls_context": {
                "tls_certificates": [certificate],
                "validation_context": {"trusted_ca": {"filename": str(home / "root.pem")}},
            },
        },
    }
