"""What weft compiles for a caller's sidecar and an application's, as static configurations that need no control plane.

The bootstrap is the agent's, the resources are the compiler's. What xDS would bring is put in its place: routes into
listeners, endpoints into clusters; secrets, caps of logs and discovered filters come from files.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from bench.compiling import document_of
from bench.static import Json, Tls
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.agent.bootstrap import Sockets, bootstrap
from weft.agent.config import AgentConfig
from weft.agent.credentials import Issued
from weft.agent.ports import Plan
from weft.agent.sds import CERTIFICATE, ROOTS
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, TOKENS, Resources
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.model.document import Document
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import Inlet, Node, Outlet

NAMESPACE, PORT = "bench", 9080
_SETTINGS = Settings()
_KINDS: dict[str, type[Message]] = {
    CLUSTER: Cluster,
    ENDPOINTS: ClusterLoadAssignment,
    EXTENSION: TypedExtensionConfig,
    LISTENER: Listener,
    ROUTES: RouteConfiguration,
    TOKENS: TokenBucket,
}
_WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"
Spec = dict[str, Any]


def identity(name: str) -> Identity:
    """Who a workload of the pair is: ``caller`` or ``app``."""
    return Identity(trust_domain=_SETTINGS.trust_domain, namespace=NAMESPACE, account=name)


def pair(port: int, between: int, app: int, telemetry: Spec | None = None) -> tuple[Resources, Resources]:
    """The resources of a caller's sidecar, where ``port`` stands for the service, and of the application's.

    ``telemetry`` is what a Telemetry of the namespace says, if there is one.
    """
    inlet = Inlet(name="http", port=PORT, bind="127.0.0.1", bind_port=between, app_port=app)
    nodes = (
        _node("caller", outlets=(Outlet(host="app", port=PORT, bind_port=port),)),
        _node("app", inlets=(inlet,)),
    )
    mesh = link(tuple(fragment_of(one, _SETTINGS) for one in _documents(between, telemetry)), _SETTINGS, 1)
    out, into = (resources_of(view_of(mesh, node)) for node in nodes)
    return out, into


def _node(name: str, *, inlets: tuple[Inlet, ...] = (), outlets: tuple[Outlet, ...] = ()) -> Node:
    labels = (("app", name), ("version", "v1"))
    return Node(
        id=f"{name}-1.{NAMESPACE}", namespace=NAMESPACE, workload=f"{name}-1", identity=identity(name), labels=labels,
        inlets=inlets, outlets=outlets,
    )  # fmt: skip


def _documents(between: int, telemetry: Spec | None) -> list[Document]:
    port = {"name": "http", "port": PORT, "targetPort": PORT, "appProtocol": "http", "protocol": "TCP"}
    labels = {"app": "app", "version": "v1", "security.istio.io/tlsMode": "istio"}
    workload = {"address": "127.0.0.1", "labels": labels, "serviceAccount": "app", "ports": {"http": between}}
    found = [
        document_of("v1", "Service", "app", {"selector": {"app": "app"}, "ports": [port]}),
        document_of("networking.istio.io/v1", "WorkloadEntry", "app-1", workload),
    ]
    if telemetry is not None:
        found.append(document_of("telemetry.istio.io/v1", "Telemetry", "telemetry", telemetry))
    return found


def settled(name: str, resources: Resources, tls: Tls, home: Path, sink: int) -> Json:
    """A bootstrap with a sidecar's resources in it. What it tells goes to the port ``sink``."""
    placed = _Placed(resources, home)
    config = AgentConfig(service=name, name=f"{name}-1", command=(), state_dir=home, version="v1")
    issued = Issued(
        chain="", bundle="", trust_domain=_SETTINGS.trust_domain, xds_address=f"127.0.0.1:{sink}",
        namespace=NAMESPACE, service_account=name, expires=0,
    )  # fmt: skip
    sockets = Sockets(admin=home / f"{name}.admin", sds=home / f"{name}.sds")
    made: Json = json.loads(bootstrap(config, issued, Plan(inlets=(), outlets=(), http_proxy=None), sockets))
    del made["dynamic_resources"]
    own = made["static_resources"]
    for cluster in own["clusters"]:
        cluster.pop("transport_socket", None)
    own["clusters"] += [placed.of(one) for one in placed.found[CLUSTER].values()]
    own["listeners"] = [placed.of(one) for one in placed.found[LISTENER].values()]
    own["secrets"] = _secrets(tls)
    return made


def _secrets(tls: Tls) -> list[Json]:
    certificate = {
        "certificate_chain": {"filename": str(tls.certificate)},
        "private_key": {"filename": str(tls.key)},
    }
    return [
        {"name": CERTIFICATE, "tls_certificate": certificate},
        {"name": ROOTS, "validation_context": {"trusted_ca": {"filename": str(tls.bundle)}}},
    ]


class _Placed:
    """Resources by type and name as JSON, and what stands in the place of each question to a control plane."""

    def __init__(self, resources: Resources, home: Path) -> None:
        self.found: dict[str, dict[str, Json]] = {type_url: {} for type_url in _KINDS}
        for one in resources.resources:
            message = _KINDS[one.type_url].FromString(one.body)
            self.found[one.type_url][one.name] = MessageToDict(message, preserving_proto_field_name=True)
        self._home = home

    def of(self, content: Json) -> Json:
        """The same without such questions."""
        made = {key: self._value(value) for key, value in content.items()}
        if "rds" in made:
            made["route_config"] = self.found[ROUTES][made.pop("rds")["route_config_name"]]
        if made.get("type") == "EDS":
            del made["eds_cluster_config"]
            made |= {"type": "STATIC", "load_assignment": self.found[ENDPOINTS][made["name"]]}
        if "config_discovery" in made:
            made["typed_config"] = self.found[EXTENSION][made["name"]]["typed_config"]
            del made["config_discovery"]
        if "resource_name" in made and "config_source" in made:
            made["config_source"] = self._file(made["resource_name"])
        made.pop("sds_config", None)
        return made

    def _value(self, value: Any) -> Any:
        match value:
            case dict():
                return self.of(value)
            case list():
                return [self._value(one) for one in value]
        return value

    def _file(self, name: str) -> Json:
        """A source that is a file with a bucket of tokens."""
        path = self._home / f"{name}.json"
        bucket = {"@type": TOKENS, **self.found[TOKENS][name]}
        resource = {"@type": _WRAPPER, "name": name, "resource": bucket}
        path.write_text(json.dumps({"version_info": "1", "resources": [resource]}))
        return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
