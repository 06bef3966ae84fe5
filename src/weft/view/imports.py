"""What the proxies of a scope see: services and route tables, after ``exportTo`` and the imports of a Sidecar.

Istio's ``SidecarScope``: of several services of a host one namespace's is taken; a listener's port leaves this port
alone; a route table that is imported brings its destinations.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.runs import Run, joined
from weft.kit.value import Value
from weft.model.mesh import Mesh
from weft.model.route import Destination, RouteTable
from weft.model.service import Service, visible
from weft.model.settings import Settings
from weft.model.sidecar import EVERY_NAMESPACE, OWN_NAMESPACE, Egress, Import, Sidecar
from weft.view.connections import connection_destinations
from weft.view.policy import Caller, covers
from weft.view.routes import MESH_GATEWAY, destinations_of

IMPORTS_ALL = (Egress(imports=(Import(namespace=EVERY_NAMESPACE, host="*"),)),)


class Scope(Caller):
    """A namespace, the labels that rules ask for, and the imports of the Sidecar; ``None`` imports everything.

    ``egress_proxy`` is imported besides. ``captured``: calls come with the address that they were made to, and by no
    other way.
    """

    egress: tuple[Egress, ...] | None = None
    egress_proxy: Destination | None = None
    captured: bool = False

    @property
    def caller(self) -> Caller:
        """What decides about rules, shared by scopes that differ in imports only."""
        return Caller(namespace=self.namespace, labels=self.labels)


class Seen(Value):
    """Services by host, in order of hosts, and the route tables, in order of precedence."""

    services: dict[str, Service]
    tables: tuple[RouteTable, ...]


def seen_by(mesh: Mesh, scope: Scope, tables_at_mesh: Iterable[Run[RouteTable]]) -> Seen:
    """Everything that proxies of the scope can name; the tables are those of which some are for sidecars."""
    exported = _exported(mesh, scope.namespace)
    tables = joined(_concerning(run, scope.namespace) for run in tables_at_mesh)
    if mesh.settings.apart:
        tables = tuple(one for one in tables if one.namespace == scope.namespace or _is_its_own(one, mesh))
    found: dict[str, Service] = {}
    if scope.egress is None:
        _add(found, exported)
    else:
        chosen: dict[int, RouteTable] = {}
        for egress in scope.egress:
            _add(found, imported(egress, exported, scope.namespace))
            brought = [table for table in tables if imports_table(egress, table, scope.namespace)]
            chosen |= {id(table): table for table in brought}
            _add(found, _destinations(brought, exported, scope.namespace))
        tables = tuple(table for table in tables if id(table) in chosen)
    if scope.egress_proxy is not None:
        _add(found, _needed(scope.egress_proxy.host, {0}, exported, scope.namespace))
    return Seen(services=dict(sorted(found.items())), tables=tables)


def imported(egress: Egress, services: Iterable[Service], namespace: str) -> list[Service]:
    """The services that a listener imports, with the ports that it does; of one host those of one namespace."""
    matching = [one for service in services if (one := _import(egress, service, namespace)) is not None]
    spaces: dict[str, str] = {}
    for service in matching:
        if service.host not in spaces or service.namespace == namespace:
            spaces[service.host] = service.namespace
    return [service for service in matching if spaces[service.host] == service.namespace]


def sidecar_of(sidecars: Iterable[Sidecar], caller: Caller, root_namespace: str) -> Sidecar | None:
    """The Sidecar of a workload: of its namespace one that selects it, else one without a selector, else the root's.

    ``sidecars`` are in order of precedence; the first of a level counts.
    """
    levels: dict[int, Sidecar] = {}
    for sidecar in sidecars:
        if sidecar.namespace == caller.namespace:
            if sidecar.selector is None:
                levels.setdefault(1, sidecar)
            elif set(sidecar.selector) <= set(caller.labels):
                levels.setdefault(0, sidecar)
        elif sidecar.namespace == root_namespace and sidecar.selector is None:
            levels.setdefault(2, sidecar)
    return levels[min(levels)] if levels else None


def _exported(mesh: Mesh, namespace: str) -> list[Service]:
    """The services that a namespace may see, first those that come first for their host."""
    every = [*mesh.services.values(), *mesh.others]
    found = [one for one in every if visible(one.export_to, one.namespace, namespace)]
    return sorted(found, key=lambda one: _rank(one, namespace, mesh.settings)) if mesh.others else found


def _rank(service: Service, namespace: str, settings: Settings) -> tuple[bool, int, tuple[str, str, str]]:
    """Kubernetes services, then what is for the own namespace alone, for named ones, for all; then the oldest.

    Of namespaces that are apart, no other one's comes before the own.
    """
    own = service.namespace == namespace and (
        settings.apart or OWN_NAMESPACE in service.export_to or namespace in service.export_to
    )
    reach = 0 if own else 2 if EVERY_NAMESPACE in service.export_to else 1
    return (not _of_kubernetes(service), reach, service.origin.precedence)


def _of_kubernetes(service: Service) -> bool:
    return service.origin.key.kind == "Service"


@memo(8192)
def _concerning(run: Run[RouteTable], namespace: str) -> tuple[RouteTable, ...]:
    meant = (table for table in run.items if MESH_GATEWAY in table.gateways)
    return tuple(table for table in meant if visible(table.export_to, table.namespace, namespace))


def _is_its_own(table: RouteTable, mesh: Mesh) -> bool:
    """Whether rules are the root namespace's, or about nothing but services of their own namespace."""
    if table.namespace == mesh.settings.root_namespace:
        return True
    owners = (mesh.services.get(host) for host in table.hosts)
    return all(owner is not None and owner.namespace == table.namespace for owner in owners)


def _import(egress: Egress, service: Service, namespace: str) -> Service | None:
    if not _takes(egress, service.namespace, service.host, namespace):
        return None
    if egress.port is None or egress.any_port:
        return service
    return _with_ports(service, {egress.port.number})


def imports_table(egress: Egress, table: RouteTable, namespace: str) -> bool:
    """Whether a listener imports one of the hosts of a route table."""
    return any(_takes(egress, table.namespace, host, namespace) for host in table.hosts)


def _takes(egress: Egress, owner: str, host: str, namespace: str) -> bool:
    matching = [one.excluded for one in egress.imports if _matches(one, owner, host, namespace)]
    return bool(matching) and not any(matching)


def _matches(one: Import, owner: str, host: str, namespace: str) -> bool:
    space = namespace if one.namespace == OWN_NAMESPACE else one.namespace
    return space in (EVERY_NAMESPACE, owner) and covers(one.host, host)


def _with_ports(service: Service, numbers: set[int]) -> Service | None:
    """The service with these ports alone, ``None`` when it has none of them; 0 stands for all."""
    if 0 in numbers:
        return service
    kept = tuple(port for port in service.ports if port.number in numbers)
    if len(kept) == len(service.ports):
        return service
    return replace(service, ports=kept) if kept else None


def _destinations(tables: Iterable[RouteTable], exported: list[Service], namespace: str) -> Iterator[Service]:
    """What route tables send to, with the ports that they name."""
    ports: dict[str, set[int]] = {}
    for table in tables:
        for destination in (*destinations_of(table.http), *connection_destinations(table)):
            ports.setdefault(destination.host, set()).add(destination.port or 0)
    for host, numbers in ports.items():
        yield from _needed(host, numbers, exported, namespace)


def _needed(host: str, ports: set[int], exported: list[Service], namespace: str) -> Iterator[Service]:
    """A destination's service: of the own namespace, else the first."""
    candidates = [service for service in exported if service.host == host]
    for service in sorted(candidates, key=lambda one: one.namespace != namespace)[:1]:
        if (found := _with_ports(service, ports)) is not None:
            yield found


def _add(found: dict[str, Service], services: Iterable[Service]) -> None:
    """The first service of a host stays; parts of the same one are put together."""
    for service in services:
        first = found.get(service.host)
        if first is None or (_of_kubernetes(service) and not _of_kubernetes(first)):
            found[service.host] = service
        elif (first.origin, first.namespace) == (service.origin, service.namespace):
            more = tuple(port for port in service.ports if first.port(port.number) is None)
            found[service.host] = replace(first, ports=(*first.ports, *more)) if more else first
