"""Small meshes for tests."""

from weft.kit.value import labels_of
from weft.model.document import Key, Origin
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.route import Backend, Destination, Forward, HttpRule, RouteTable
from weft.model.service import Port, Protocol, Service
from weft.model.workload import TLS_MODE_LABEL, Workload
from weft.view.node import Inlet, Node, Outlet

SUFFIX = "svc.cluster.local"


def origin(name="x", namespace="shop", kind="Thing", created="") -> Origin:
    return Origin(key=Key(kind=kind, name=name, namespace=namespace), created=created)


def fqdn(name, namespace="shop") -> str:
    return f"{name}.{namespace}.{SUFFIX}"


def service(name, *ports, namespace="shop", **changes) -> Service:
    ports = ports or (Port(number=9080, name="http-9080", protocol=Protocol.HTTP),)
    fields = {"selector": (("app", name),)} | changes
    return Service(
        host=fqdn(name, namespace),
        name=name,
        namespace=namespace,
        origin=origin(name, namespace),
        ports=ports,
        **fields,
    )


def workload(app, address="127.0.0.1", *, meshed=True, namespace="shop", version="v1", **changes) -> Workload:
    labels = {"app": app, "version": version, TLS_MODE_LABEL: "istio" if meshed else "disabled"}
    fields = {"name": f"{app}-{version}-{address}", "account": app, "labels": labels_of(labels)} | changes
    return Workload(namespace=namespace, address=address, origin=origin(app, namespace), **fields)


def mesh(*services, workloads=(), **changes) -> Mesh:
    return Mesh(services={one.host: one for one in services}, workloads=tuple(workloads), **changes)


def node(app="web", *, namespace="shop", inlets=(), outlets=(), http_proxy=("127.0.0.1", 15001), **labels) -> Node:
    return Node(
        id=f"{app}-1.{namespace}",
        namespace=namespace,
        workload=f"{app}-1",
        identity=Identity(trust_domain="cluster.local", namespace=namespace, account=app),
        labels=labels_of({"app": app} | labels),
        inlets=tuple(inlets),
        outlets=tuple(outlets),
        http_proxy=http_proxy,
    )


def inlet(port=9080, *, bind_port=21001, app_port=31001, **changes) -> Inlet:
    return Inlet(name=f"http-{port}", port=port, bind="127.0.0.1", bind_port=bind_port, app_port=app_port, **changes)


def outlet(host, port, bind_port=23456) -> Outlet:
    return Outlet(host=host, port=port, bind_port=bind_port)


def table(host, *rules, namespace="shop", name="routes", created="", **changes) -> RouteTable:
    hosts = host if isinstance(host, tuple) else (host,)
    return RouteTable(
        origin=origin(name, namespace, created=created), namespace=namespace, hosts=hosts, http=rules, **changes
    )


def to(host, subset="", port=None, weight=100, **changes) -> Backend:
    return Backend(destination=Destination(host=host, subset=subset, port=port), weight=weight, **changes)


def forward(*backends, **changes) -> Forward:
    return Forward(backends=backends, **changes)


def rule(action, *matches, **changes) -> HttpRule:
    return HttpRule(action=action, matches=matches, **changes)
