"""A mesh prepared for looking things up: made once per ``Mesh`` object, by the first view that needs it."""

from collections.abc import Iterable, Iterator, Mapping

from weft.kit.memo import memo
from weft.kit.runs import Run, runs_of
from weft.kit.value import Labels
from weft.model.mesh import Mesh
from weft.model.peer import PeerRules, peer_rules
from weft.model.route import Destination, RouteTable
from weft.model.service import Service
from weft.model.sidecar import Sidecar
from weft.model.traffic import DestinationPolicy
from weft.model.workload import Workload
from weft.view.guards import guard_book
from weft.view.imports import Scope, Seen, seen_by, sidecar_of
from weft.view.locality import blocks_of, compared_labels, localities_matter, zones_matter
from weft.view.named import Names
from weft.view.policy import Caller, PolicyBook, covers, mesh_policy
from weft.view.routes import MESH_GATEWAY, Resolved
from weft.view.upstreams import Supply
from weft.view.view import CapturedPort, Outbound, Route
from weft.view.workload_places import places_of
from weft.view.world import World, resolved, world_of, world_routes

_Question = tuple[Destination, int, DestinationPolicy | None, Service | None]


class _Same:
    """A mesh as a key, by identity: its mappings have no hash, and one object is one mesh."""

    __slots__ = ("mesh",)

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    def __hash__(self) -> int:
        return id(self.mesh)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.mesh is self.mesh


class MeshIndex:
    """Look-ups in one mesh. ``outbounds`` remembers what each scope was given.

    Where a look-up takes ``services``, they are those that the caller sees by host, all of the mesh if left out.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.services = tuple(mesh.services[host] for host in sorted(mesh.services))
        self.policies = PolicyBook(mesh.policies, mesh.settings)
        self.guards = guard_book(mesh)
        self.outbounds: dict[Caller, Outbound] = {}
        self.names: dict[Caller, Names] = {}
        self.captured: dict[tuple[Caller, tuple[str, ...]], tuple[CapturedPort, ...]] = {}
        self._tables_at: dict[str, list[Run[RouteTable]]] = {}
        for run in (runs := runs_of(mesh.route_tables)):
            for gateway in _gateways(run):
                self._tables_at.setdefault(gateway, []).append(run)
        self._places = places_of(mesh.workloads)
        self._peers: dict[str, PeerRules] = {}
        self._tables: dict[Scope, Tables] = {}
        self._supplies: dict[Service, Supply] = {}
        self._seen: dict[Scope, Seen] = {}
        self._resolved: dict[_Question, Resolved] = {}
        self._worlds: dict[Scope, tuple[World, Caller]] = {}
        self._by_namespace: dict[str, list[Service]] = {}
        for service in (*self.services, *mesh.others):
            self._by_namespace.setdefault(service.namespace, []).append(service)
        self.mentioned = frozenset(_mentioned(mesh, runs))
        blocks = [block for group in mesh.policies.values() for policy in group for block in blocks_of(policy)]
        blocks.append(mesh_policy(mesh.settings))
        self.compared = frozenset(compared_labels(blocks))
        self.zones_matter = zones_matter(blocks)
        self.localities_matter = localities_matter(blocks) or any(service.near for service in self.services)

    def supply_of(self, service: Service) -> Supply:
        """The service with its workloads."""
        if service not in self._supplies:
            self._supplies[service] = Supply(
                service=service,
                workloads=self._selected(service) + service.endpoints,
                peers=self.peers_of(service.namespace),
            )
        return self._supplies[service]

    def services_of(self, namespace: str) -> list[Service]:
        """The services of a namespace, by host."""
        return self._by_namespace.get(namespace, [])

    def peers_of(self, namespace: str) -> PeerRules:
        """What a namespace's workloads ask of their callers."""
        if namespace not in self._peers:
            root = self.mesh.settings.root_namespace
            self._peers[namespace] = peer_rules(self.mesh.peer_policies, namespace, root)
        return self._peers[namespace]

    def sidecar_of(self, caller: Caller) -> Sidecar | None:
        """The Sidecar that says what a workload sees; ``caller`` has all of its labels."""
        return sidecar_of(self.mesh.sidecars, caller, self.mesh.settings.root_namespace)

    def seen_by(self, scope: Scope) -> Seen:
        """What the proxies of a scope see."""
        if scope not in self._seen:
            self._seen[scope] = seen_by(self.mesh, scope, self.tables_at(MESH_GATEWAY))
        return self._seen[scope]

    def policy_of(
        self, caller: Caller, host: str, services: Mapping[str, Service] | None = None
    ) -> DestinationPolicy | None:
        """The destination rule that a caller follows for a host."""
        service = (self.mesh.services if services is None else services).get(host)
        return self.policies.policy_of(caller, host, service.namespace if service else "")

    def resolve(
        self, caller: Caller, destination: Destination, called: int, services: Mapping[str, Service] | None = None
    ) -> Resolved:
        """A destination's target, its port as in Istio: the one named, the service's only one, the one called."""
        service = (self.mesh.services if services is None else services).get(destination.host)
        key = (destination, called, self.policy_of(caller, destination.host, services), service)
        if key not in self._resolved:
            self._resolved[key] = resolved(*key)
        return self._resolved[key]

    def routes(self, scope: Scope, table: RouteTable, port: int, at: str = MESH_GATEWAY) -> tuple[Route, ...]:
        """The routes of a table for the proxies of a scope; remembered as long as what it names stays as it is."""
        world, caller = self.world(scope)
        return world_routes(world, table, caller, port, at)

    def world(self, scope: Scope) -> tuple[World, Caller]:
        """What destinations mean to the proxies of a scope."""
        if scope not in self._worlds:
            services = tuple(self.seen_by(scope).services.values())
            world = world_of(services, tuple(self.mesh.policies.items()), self.mesh.settings)
            self._worlds[scope] = (world, scope.caller)
        return self._worlds[scope]

    def tables_at(self, gateway: str) -> list[Run[RouteTable]]:
        """Runs of route tables, some of which name a gateway, in order of precedence."""
        return self._tables_at.get(gateway, [])

    def addresses_of(self, namespace: str, workload: str) -> tuple[str, ...]:
        """The addresses under which a workload is registered."""
        return tuple(self.mesh.workloads[place].address for place in self._places.named(namespace, workload))

    def tables_of(self, scope: Scope) -> "Tables":
        """The route tables that the proxies of a scope see."""
        if scope not in self._tables:
            self._tables[scope] = Tables(self.seen_by(scope).tables)
        return self._tables[scope]

    def _selected(self, service: Service) -> tuple[Workload, ...]:
        if service.selector is None:
            return ()
        workloads = self.mesh.workloads
        return tuple(workloads[place] for place in self._places.selected(service.namespace, service.selector))


class Tables:
    """Route tables by host: the oldest of a host wins, an exact host before the longest wildcard."""

    def __init__(self, tables: Iterable[RouteTable]) -> None:
        self.by_host: dict[str, RouteTable] = {}
        for table in tables:
            for host in table.hosts:
                self.by_host.setdefault(host, table)
        self._wildcards = sorted((host for host in self.by_host if host.startswith("*")), key=len, reverse=True)

    def table_of(self, host: str) -> RouteTable | None:
        """The table that holds for a host."""
        if host in self.by_host:
            return self.by_host[host]
        return next((self.by_host[name] for name in self._wildcards if covers(name, host)), None)


@memo(3)
def _index(key: _Same) -> MeshIndex:
    return MeshIndex(key.mesh)


def index_of(mesh: Mesh) -> MeshIndex:
    """The index of a mesh, made at the first call."""
    return _index(_Same(mesh))


@memo(8192)
def _gateways(run: Run[RouteTable]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(gateway for table in run.items for gateway in table.gateways))


@memo(8192)
def _source_labels(run: Run[RouteTable]) -> Labels:
    matches = (match for table in run.items for rule in table.http for match in rule.matches)
    return tuple(dict.fromkeys(pair for match in matches for pair in match.source_labels))


def _mentioned(mesh: Mesh, tables: Iterable[Run[RouteTable]]) -> Iterator[tuple[str, str]]:
    """The labels of callers that some rule asks for."""
    for run in tables:
        yield from _source_labels(run)
    for policies in mesh.policies.values():
        for policy in policies:
            yield from policy.workload_selector


def mentioned_labels(index: MeshIndex, labels: Labels) -> Labels:
    """Those of a proxy's labels that make a difference to what it sees."""
    return tuple(pair for pair in labels if pair in index.mentioned or pair[0] in index.compared)
