"""Documents of Gateway API, as short as tests want to write them, and the mesh that they make."""

import base64
import json
from typing import Any

from cryptography import x509

from tests.dialects.documents import document, fragment
from tests.xds.certificates import Root
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.model.standing import Condition, ParentStanding, Standing

GROUP = "gateway.networking.k8s.io"
HTTP = "{name: http, port: 80, protocol: HTTP}"
SERVICES = ("reviews", "ratings")

__all__ = ["fragment"]


def gateway(*listeners: str, name: str = "edge", more: str = "", **options: Any) -> Document:
    """A Gateway of the built-in class."""
    listed = ", ".join(listeners or (HTTP,))
    return document(f"Gateway.{GROUP}", f"gatewayClassName: weft\nlisteners: [{listed}]\n{more}", name, **options)


def http_route(spec: str, name: str = "shop", **options: Any) -> Document:
    """An HTTPRoute."""
    return document("HTTPRoute", spec, name, **options)


def service(name: str, namespace: str = "shop") -> Document:
    """A Service with the port 80."""
    spec = f"selector: {{app: {name}}}\nports: [{{name: http, port: 80}}]"
    return document("Service", spec, name, namespace=namespace)


def certificate(name: str, *names: str) -> Document:
    """A Secret with a certificate and its key."""
    key, chain = Root().issue(*(x509.DNSName(one) for one in names or ("a.example.com",)))
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop"}}
    content |= {"type": "kubernetes.io/tls", "data": data}
    return Document(key=Key(kind="Secret", name=name, namespace="shop"), content=json.dumps(content).encode())


def world() -> tuple[Document, ...]:
    """The Services of the namespace shop."""
    return tuple(service(name) for name in SERVICES)


def mesh_of(*documents: Document) -> Mesh:
    """The mesh of some documents and the Services of shop."""
    settings = Settings()
    return link(tuple(fragment_of(one, settings) for one in (*world(), *documents)), settings, 1)


def standing(mesh: Mesh, kind: str, name: str, namespace: str = "shop") -> Standing:
    """How a document stands."""
    group = "gateway.networking.x-k8s.io" if kind.startswith("X") else GROUP
    key = Key(kind=kind, group=group, namespace="" if kind == "GatewayClass" else namespace, name=name)
    return next(one for one in mesh.standings if one.key == key)


def told(conditions: tuple[Condition, ...] | None) -> dict[str, str]:
    """Conditions by type: their reasons, with a minus for those that do not hold."""
    return {one.type: one.reason if one.holds else f"-{one.reason}" for one in conditions or ()}


def parents(mesh: Mesh, name: str = "shop", kind: str = "HTTPRoute", namespace: str = "shop") -> list[dict[str, str]]:
    """How a route stands with each of its parents."""
    found: tuple[ParentStanding, ...] = standing(mesh, kind, name, namespace).parents or ()
    return [told(one.conditions) for one in found]


def listeners(
    mesh: Mesh, name: str = "edge", kind: str = "Gateway", namespace: str = "shop"
) -> dict[str, dict[str, str]]:
    """How the listeners of a gateway or a set stand."""
    return {one.name: told(one.conditions) for one in standing(mesh, kind, name, namespace).listeners or ()}


def attached(mesh: Mesh, name: str = "edge", kind: str = "Gateway", namespace: str = "shop") -> dict[str, int]:
    """How many routes each listener has."""
    return {one.name: one.attached for one in standing(mesh, kind, name, namespace).listeners or ()}
