"""Which document makes a proxy decide as it does: for every step of an explanation, and without a byte on the wire.

The view is cut once more from the same mesh with every rule marked by its place in it, so that the view's own choices
(who sees what, which rule comes first, what a gateway merges) say which rule a route is.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.explain.call import Explanation, Step
from weft.explain.passages import rule_of_connection
from weft.kit.value import first, includes
from weft.model.document import Key, Origin, Place
from weft.model.gateway import covers_labels
from weft.model.mesh import Mesh
from weft.model.route import HttpRule, RouteTable
from weft.model.traffic import DestinationPolicy
from weft.view.build import view_of
from weft.view.index import MeshIndex, index_of
from weft.view.node import Node
from weft.view.policy import Caller
from weft.view.scope import scope_of
from weft.view.view import Route, View, VirtualHost

_MARK = "\x00"
_OWN = "weft.dev"
_OF_ROUTE = ("route", "fault", "cors", "action", "answer")


def caused(said: Explanation, mesh: Mesh, node: Node) -> Explanation:
    """An explanation with the documents of its steps; what no document causes has none."""
    causes = _Causes(mesh, node)
    return replace(said, steps=tuple(replace(step, causes=(*step.causes, *causes.of(step))) for step in said.steps))


class _Causes:
    """Goes through the steps in order: a virtual host is known when its routes come."""

    def __init__(self, mesh: Mesh, node: Node) -> None:
        self._mesh = mesh
        self._node = node
        self._index: MeshIndex = index_of(mesh)
        self._view = view_of(_marked(mesh), node)
        self._hosts = _hosts_of(self._view)
        self._listener_name = ""
        self._server_names = ""
        self._host: list[VirtualHost] = []
        self._rule: Place | None = None

    def of(self, step: Step) -> Iterator[Place]:
        """The places that cause a step."""
        if step.name == "listener":
            self._listener_name = step.about
            yield from self._listener(step.about)
        elif step.name == "virtual host":
            self._host = self._hosts.get(step.about, [])
            yield from self._names(step.about)
        elif step.name in _OF_ROUTE:
            if step.name == "route":
                self._remember(step)
            if self._rule is not None:
                yield self._rule
        elif step.name in ("cluster", "endpoints", "identity"):
            yield from self._cluster(step.name, step.about)
        elif step.name == "breaker":
            yield from _own("CircuitBreaker", (step.about,))
        elif step.name == "rate limits":
            yield from _own("RateLimitPolicy", (one.partition(":")[0].rpartition("/")[0] for one in step.details))

    def _listener(self, name: str) -> Iterator[Place]:
        """The Gateways that open the port."""
        if self._node.gateway is None:
            return
        port = name.rpartition("_")[2]
        for gateway in covers_labels(self._mesh.gateways, self._node.labels):
            for server in gateway.servers:
                if str(server.port) == port:
                    yield _at(gateway.origin, "spec", "servers", server.index)

    def _remember(self, step: Step) -> None:
        """The rule that takes a request; the names by which one takes a connection."""
        if step.about:
            self._rule = self._rule_of(*map(int, step.about.split("/")))
        else:
            self._server_names = step.what

    def _passage(self, cluster: str) -> Iterator[Place]:
        """The rule that passes connections on to a cluster."""
        rule = rule_of_connection(self._view, self._listener_name, self._server_names, cluster)
        if rule is not None:
            yield rule

    def _names(self, host: str) -> Iterator[Place]:
        """The rules of a host, else what defines it."""
        table = first(table for one in self._host for route in one.routes if (table := self._table(route)))
        if table is not None:
            yield Place(document=table.origin.key, path=("spec", "hosts"))
        else:
            yield from self._service(host.rpartition(":")[0])

    def _rule_of(self, number: int, among: int) -> Place | None:
        """The rule of a route by its number; of several hosts of a name, that with as many routes."""
        host = first(one for one in self._host if len(one.routes) == among)
        route = host.routes[number] if host else None
        table = self._table(route) if route else None
        if table is None or route is None:
            return None
        rule = table.http[_numbers(route)[1]]
        return rule.written or Place(document=(rule.origin or table.origin).key, path=("spec",))

    def _table(self, route: Route) -> RouteTable | None:
        return self._mesh.route_tables[_numbers(route)[0]] if route.name.startswith(_MARK) else None

    def _service(self, host: str) -> Iterator[Place]:
        found = self._index.seen_by(scope_of(self._mesh, self._node)).services.get(host)
        if found is not None:
            yield _at(found.origin, "spec")

    def _cluster(self, name: str, cluster: str) -> Iterator[Place]:
        parts = cluster.split("|")
        if len(parts) != 4:
            return
        _, port, subset, host = parts
        if name == "cluster" and not self._host:
            yield from self._passage(cluster)
        if name == "endpoints":
            yield from self._service(host)
            return
        scope = scope_of(self._mesh, self._node)
        services = self._index.seen_by(scope).services
        rule = self._index.policy_of(Caller(namespace=self._node.namespace, labels=self._node.labels), host, services)
        if rule is not None:
            yield _of_policy(rule, int(port or 0), subset)
        elif name == "cluster":
            yield from self._service(host)
        called = services[host].port(int(port or 0)) if host in services else None
        if name == "cluster" and called is not None and called.health_check is not None:
            yield from _own("HealthCheck", (called.health_check.name,))
        if name == "identity" and host in services:
            yield from self._peers(services[host].namespace, services[host].selector or ())

    def _peers(self, namespace: str, labels: tuple[tuple[str, str], ...]) -> Iterator[Place]:
        """What the called workloads ask of their callers: the narrowest PeerAuthentication."""
        root = self._mesh.settings.root_namespace
        found = [one for one in self._mesh.peer_policies if one.namespace in (namespace, root)]
        found = [one for one in found if includes(labels, one.selector)]
        if found:
            narrowest = min(found, key=lambda one: (not one.selector, one.namespace == root, one.origin.precedence))
            yield _at(narrowest.origin, "spec", "mtls")


def _own(kind: str, names: Iterable[str]) -> Iterator[Place]:
    """Documents of weft's own kinds by ``namespace/name``."""
    for name in dict.fromkeys(names):
        namespace, slash, rest = name.partition("/")
        if slash:
            yield Place(document=Key(group=_OWN, kind=kind, namespace=namespace, name=rest), path=("spec",))


def _marked(mesh: Mesh) -> Mesh:
    """The mesh with the places of rules in their names."""
    tables = (
        replace(table, http=tuple(_named(rule, number, place) for place, rule in enumerate(table.http)))
        for number, table in enumerate(mesh.route_tables)
    )
    return replace(mesh, route_tables=tuple(tables))


def _named(rule: HttpRule, table: int, place: int) -> HttpRule:
    return replace(rule, name=f"{_MARK}{table}/{place}{_MARK}")


def _numbers(route: Route) -> tuple[int, int]:
    """Table and rule."""
    table, _, rule = route.name.split(_MARK)[1].partition("/")
    return int(table), int(rule)


def _hosts_of(view: View) -> dict[str, list[VirtualHost]]:
    """Virtual hosts by name; a gateway may have several of one name."""
    found: dict[str, list[VirtualHost]] = {}
    groups = (view.outbound.virtual_hosts, *(port.virtual_hosts for port in view.egress_ports))
    for hosts in (*groups, *(routes.virtual_hosts for routes in view.gateway_routes)):
        for host in hosts:
            found.setdefault(f"{host.host}:{host.port}", []).append(host)
    return found


def _of_policy(rule: DestinationPolicy, port: int, subset: str) -> Place:
    """Where a DestinationRule speaks of a destination. Merged ones name their first document."""
    number = next((index for index, one in enumerate(rule.subsets) if one.name == subset), None) if subset else None
    if number is not None:
        return _at(rule.origin, "spec", "subsets", number)
    places = [at for at, (of, _) in enumerate(rule.ports) if of == port]
    return _at(rule.origin, "spec", "trafficPolicy", *(("portLevelSettings", places[0]) if places else ()))


def _at(origin: Origin, *path: str | int) -> Place:
    return Place(document=origin.key, path=path)
