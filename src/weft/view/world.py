"""What destinations mean to a caller, apart from the mesh of one revision: it stays while services and rules stay.

So what follows from rules and their destinations is remembered from one revision to the next.
"""

from weft.kit.memo import memo
from weft.model.route import Destination, RouteTable
from weft.model.service import Resolution, Service
from weft.model.settings import Settings
from weft.model.traffic import ConsistentHash, DestinationPolicy
from weft.view.policy import Caller, PolicyBook, traffic_policy
from weft.view.routes import Resolved, destinations_of, routes_of
from weft.view.service_policy import asked_by
from weft.view.upstreams import resolution_of, subset_of
from weft.view.view import Route, Target

PolicyItems = tuple[tuple[tuple[str, str], tuple[DestinationPolicy, ...]], ...]


class World:
    """What destinations mean to a caller: services and rules. One object for as long as none of them changes, so that
    it can be a part of the key of what follows from them."""

    def __init__(self, services: tuple[Service, ...], policies: PolicyItems, settings: Settings) -> None:
        self.settings = settings
        self._services = {service.host: service for service in services}
        self._policies = PolicyBook(dict(policies), settings)

    def resolve(self, caller: Caller, destination: Destination, called: int) -> Resolved:
        """A destination looked up, as in ``MeshIndex.resolve``."""
        service = self._services.get(destination.host)
        rule = self._policies.policy_of(caller, destination.host, service.namespace if service else "")
        return resolved(destination, called, rule, service)


@memo(64)
def world_of(services: tuple[Service, ...], policies: PolicyItems, settings: Settings) -> World:
    """The world of some services and rules."""
    return World(services, policies, settings)


@memo(131072)
def world_routes(world: World, table: RouteTable, caller: Caller, port: int, at: str) -> tuple[Route, ...]:
    """The routes of a table for a caller."""
    book = tuple(world.resolve(caller, one, port) for one in destinations_of(table.http))
    return routes_of(table.http, caller, port, book, world.settings.default_retries, at)


@memo(65536)
def resolved(
    destination: Destination, called: int, rule: DestinationPolicy | None, service: Service | None
) -> Resolved:
    """A destination's target, its port as in Istio: the one named, the service's only one, the one called."""
    only = service.ports[0].number if service and len(service.ports) == 1 else called
    target = Target(host=destination.host, port=destination.port or only, subset=destination.subset)
    port = service.port(target.port) if service else None
    policy = asked_by(service, traffic_policy(rule, target.port, subset_of(rule, destination.subset)))
    algorithm = policy.load_balancer.algorithm if policy.load_balancer else None
    return Resolved(
        destination=destination,
        target=target,
        hash=algorithm if isinstance(algorithm, ConsistentHash) else None,
        by_authority=service is not None and resolution_of(service, policy) is Resolution.NONE,
        of_bytes=port is not None and not port.protocol.is_http,
        grpc=port is not None and port.protocol.is_grpc,
    )
