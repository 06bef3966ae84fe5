"""An intent's folder: the documents that express it, the model that they mean, and the calls that show it.

``istio.yaml``, ``gateway_api.yaml`` and ``weft.yaml`` (weft's own kinds) hold documents on top of ``world.yaml``'s;
``model.yaml`` what a dialect makes of them (see ``rendering``), linked the same for all; ``calls.yaml`` imagined calls
(see ``expectation``).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from weft.dialects.fragment import Fragment
from weft.dialects.link import link
from weft.dialects.mesh_settings import Configured, mesh_config_key, settings_of
from weft.dialects.translate import KINDS, check, convert, fragment_of
from weft.kit.value import Value
from weft.kit.yaml import parse_yaml
from weft.model.document import Document, Key
from weft.model.finding import Severity
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.node import GatewayPlace, Inlet, Node, Outlet

HERE = Path(__file__).parent
SETTINGS = Settings()
ISTIO = "istio"
EDGE = "edge"
"""The gateway of namespace shop; the calls that are ``from`` it come from outside the mesh."""
_CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Intent:
    """One folder."""

    name: str
    calls: dict[str, Any]
    dialect: str = ISTIO

    def __str__(self) -> str:
        return self.name if self.dialect == ISTIO else f"{self.name}-{self.dialect}"

    @property
    def directory(self) -> Path:
        return HERE / self.name

    @property
    def translated(self) -> bool:
        """Whether another dialect says the same in the same folder."""
        return self.dialect != ISTIO and (self.directory / f"{ISTIO}.yaml").is_file()

    def outlet(self, bind_port: int = 15002) -> tuple[Outlet, ...]:
        """The local port that stands for the host that ``outlet`` names, if it names one."""
        host, colon, port = self.calls.get("outlet", "").rpartition(":")
        return (Outlet(host=host, port=int(port), bind_port=bind_port),) if colon else ()

    def fragments(self) -> tuple[Fragment, ...]:
        """What the dialect makes of the intent's own documents, in their order."""
        return tuple(fragment_of(one, self.configured.settings) for one in self._documents())

    def mesh(self) -> Mesh:
        """The world with the intent's documents in it, and what is said of its MeshConfig."""
        settings = self.configured.settings
        mesh = link((*_world(settings), *self.fragments()), settings, 1)
        return msgspec.structs.replace(mesh, findings=(*self.configured.findings, *mesh.findings))

    @property
    def configured(self) -> Configured:
        """The mesh-wide settings, those of a ConfigMap among the documents if there is one."""
        found = [one for one in self._documents() if one.key == mesh_config_key(SETTINGS)]
        return settings_of(found[0] if found else None, SETTINGS, SETTINGS)

    def _documents(self) -> tuple[Document, ...]:
        return documents(self.directory / f"{self.dialect}.yaml")

    def linked(self) -> dict[str, tuple[Value, ...]]:
        """What link makes of the intent's own documents."""
        keys, mesh = {one.key for one in self._documents()}, self.mesh()
        return {
            "route_tables": tuple(one for one in mesh.route_tables if one.origin.key in keys),
            "gateways": tuple(one for one in mesh.gateways if one.origin.key in keys),
        }


def intents() -> list[Intent]:
    """Every folder that expresses an intent, by name."""
    return [
        Intent(name=path.parent.name, calls=yaml.safe_load((path.parent / "calls.yaml").read_text()), dialect=path.stem)
        for dialect in (ISTIO, "gateway_api", "weft")
        for path in sorted(HERE.glob(f"*/{dialect}.yaml"))
    ]


def documents(path: Path) -> tuple[Document, ...]:
    """A file's documents as the store would keep them; it refuses none of them."""
    return tuple(_document(one.content, path) for one in parse_yaml(path.read_text(), path.name))


def _document(content: dict[str, Any], path: Path) -> Document:
    group = content["apiVersion"].rpartition("/")[0]
    kind = next(one for one in KINDS if (one.group, one.kind) == (group, content["kind"]))
    refusals = [one for one in check(kind, content) if one.severity is Severity.ERROR]
    assert not refusals, f"{path}: {refusals}"
    metadata = content["metadata"]
    return Document(
        key=Key(kind=kind.kind, group=group, namespace=metadata.get("namespace", ""), name=metadata["name"]),
        content=json.dumps(convert(kind, content)).encode(),
        created=metadata.get("creationTimestamp", _CREATED),
    )


def mesh_of(text: str) -> Mesh:
    """The world with some documents in it, of which the mesh's configuration may be one."""
    found = tuple(_document(one.content, Path("test.yaml")) for one in parse_yaml(text, "test.yaml"))
    config = next((one for one in found if one.key == mesh_config_key(SETTINGS)), None)
    configured = settings_of(config, SETTINGS, SETTINGS)
    assert configured.good, configured.findings
    settings = configured.settings
    return link((*_world(settings), *(fragment_of(one, settings) for one in found)), settings, 1)


def world() -> Mesh:
    """The mesh without any intent."""
    return link(_world(SETTINGS), SETTINGS, 1)


@cache
def _world(settings: Settings) -> tuple[Fragment, ...]:
    return tuple(fragment_of(one, settings) for one in documents(HERE / "world.yaml"))


@cache
def _worlds_workloads() -> dict[str, Any]:
    return {one.name: one for fragment in _world(SETTINGS) for one in fragment.workloads}


def caller(name: str, port: int = 15001, outlets: tuple[Outlet, ...] = ()) -> Node:
    """A workload of the world as a caller that has an HTTP proxy, and local ports; or the gateway."""
    if name == EDGE:
        return gateway()
    return msgspec.structs.replace(_node(name), http_proxy=("127.0.0.1", port), outlets=outlets)


def gateway(port_offset: int = 0) -> Node:
    """The gateway that ``Gateway`` documents select by ``istio: edge``."""
    identity = Identity(trust_domain=SETTINGS.trust_domain, namespace="shop", account=EDGE)
    place = GatewayPlace(bind="127.0.0.1", port_offset=port_offset, http3=True)
    labels = (("app", EDGE), ("gateway.networking.k8s.io/gateway-name", EDGE), ("istio", EDGE))
    return Node(id=f"{EDGE}.shop", namespace="shop", workload=EDGE, identity=identity, labels=labels, gateway=place)


def server(name: str, bind_port: int = 21001, app_port: int = 9081, port: int = 9080) -> Node:
    """The sidecar of one of the world's workloads as one that peers call."""
    inlet = Inlet(name="http", port=port, bind="127.0.0.1", bind_port=bind_port, app_port=app_port)
    return msgspec.structs.replace(_node(name), inlets=(inlet,))


def _node(name: str) -> Node:
    found = _worlds_workloads()[name]
    identity = Identity(trust_domain=SETTINGS.trust_domain, namespace=found.namespace, account=found.account)
    return Node(
        id=f"{name}.{found.namespace}",
        namespace=found.namespace,
        workload=name,
        identity=identity,
        labels=found.labels,
        locality=found.locality,
    )
