"""A client of a session without sockets: tests read as a conversation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.rpc.status_pb2 import Status

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, Resources, resource
from weft.xds.session import Held, Session, Unconfirmed, Variant
from weft.xds.wire import Response

VIRTUAL_HOST = "type.googleapis.com/envoy.config.route.v3.VirtualHost"


def cluster(name: str, content: str = "") -> Resource:
    body = Cluster(name=name, alt_stat_name=content).SerializeToString(deterministic=True)
    return resource(CLUSTER, name, body)


def endpoints(name: str, *ports: int) -> Resource:
    message = ClusterLoadAssignment(cluster_name=name)
    for port in ports:
        address = message.endpoints.add().lb_endpoints.add().endpoint.address.socket_address
        address.address, address.port_value = "127.0.0.1", port
    return resource(ENDPOINTS, name, message.SerializeToString(deterministic=True))


def listener(name: str, content: str = "") -> Resource:
    return resource(LISTENER, name, Listener(name=name, stat_prefix=content).SerializeToString(deterministic=True))


def routes(name: str, content: str = "") -> Resource:
    message = RouteConfiguration(name=name)
    if content:
        message.virtual_hosts.add(name=content, domains=["*"])
    return resource(ROUTES, name, message.SerializeToString(deterministic=True))


def resources(*items: Resource) -> Resources:
    return Resources(resources=tuple(sorted(items, key=lambda item: (item.type_url, item.name))))


@dataclass
class Got:
    """A response as a test wants to look at it."""

    type_url: str
    nonce: str
    version: str
    bodies: dict[str, bytes]
    versions: dict[str, str]
    removed: list[str]
    count: int
    aliases: dict[str, list[str]]

    @property
    def names(self) -> list[str]:
        return sorted(self.bodies)


_MESSAGES = {
    CLUSTER: (Cluster, "name"),
    ENDPOINTS: (ClusterLoadAssignment, "cluster_name"),
    LISTENER: (Listener, "name"),
    ROUTES: (RouteConfiguration, "name"),
}


def inner_name(type_url: str, body: bytes) -> str:
    """The name inside a resource."""
    if type_url not in _MESSAGES:
        return body.decode()
    kind, field = _MESSAGES[type_url]
    return str(getattr(kind.FromString(body), field))


def parse_sotw(body: bytes) -> Got:
    message = DiscoveryResponse.FromString(body)
    bodies = {inner_name(item.type_url, item.value): item.value for item in message.resources}
    assert all(item.type_url == message.type_url for item in message.resources)
    return Got(message.type_url, message.nonce, message.version_info, bodies, {}, [], len(message.resources), {})


def parse_delta(body: bytes) -> Got:
    message = DeltaDiscoveryResponse.FromString(body)
    return Got(
        message.type_url,
        message.nonce,
        message.system_version_info,
        {item.name: item.resource.value for item in message.resources},
        {item.name: item.version for item in message.resources},
        list(message.removed_resources),
        len(message.resources),
        {item.name: list(item.aliases) for item in message.resources},
    )


class Sotw:
    """A state-of-the-world client; ``version`` and ``nonce`` are by type what it saw last."""

    def __init__(self, *items: Resource, implied_type: str = "", held: Held | None = None) -> None:
        self.session = Session(Variant.SOTW, implied_type=implied_type, held=held)
        self.now = 0.0
        self.last: dict[str, Got] = {}
        self.offer(*items)

    def offer(self, *items: Resource) -> list[Got]:
        return self._got(self.session.offer(resources(*items), self.now))

    def ask(
        self, type_url: str, names: Iterable[str] = (), version: str = "", nonce: str = "", error: str = ""
    ) -> list[Got]:
        request = DiscoveryRequest(
            type_url=type_url, resource_names=list(names), version_info=version, response_nonce=nonce
        )
        if error:
            request.error_detail.CopyFrom(Status(code=3, message=error))
        return self._got(self.session.receive(request.SerializeToString(), self.now))

    def ack(self, got: Got, names: Iterable[str] = ()) -> list[Got]:
        return self.ask(got.type_url, names, got.version, got.nonce)

    def nack(self, got: Got, names: Iterable[str] = (), version: str = "") -> list[Got]:
        return self.ask(got.type_url, names, version, got.nonce, error="bad field")

    def wait(self, seconds: float) -> list[Got]:
        self.now += seconds
        return self._got(self.session.tick(self.now))

    def start(self, names: Mapping[str, Iterable[str]]) -> None:
        """Subscribe to each type and acknowledge everything."""
        for type_url, wanted in names.items():
            for got in self.ask(type_url, wanted):
                self.ack(got, names.get(got.type_url, ()))

    def _got(self, responses: tuple[Response, ...]) -> list[Got]:
        parsed = [parse_sotw(item.body) for item in responses]
        for got in parsed:
            self.last[got.type_url] = got
        return parsed


class Delta:
    """An incremental client."""

    def __init__(self, *items: Resource, implied_type: str = "", doubtful: Unconfirmed | None = None) -> None:
        self.session = Session(Variant.DELTA, implied_type=implied_type, doubtful=doubtful)
        self.now = 0.0
        self.offer(*items)

    def offer(self, *items: Resource) -> list[Got]:
        return self._got(self.session.offer(resources(*items), self.now))

    def ask(
        self,
        type_url: str,
        subscribe: Iterable[str] = (),
        unsubscribe: Iterable[str] = (),
        nonce: str = "",
        error: str = "",
        known: Mapping[str, str] | None = None,
    ) -> list[Got]:
        request = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=list(subscribe),
            resource_names_unsubscribe=list(unsubscribe),
            response_nonce=nonce,
            initial_resource_versions=dict(known or {}),
        )
        if error:
            request.error_detail.CopyFrom(Status(code=3, message=error))
        return self._got(self.session.receive(request.SerializeToString(), self.now))

    def ack(self, *got: Got) -> list[Got]:
        return [answer for item in got for answer in self.ask(item.type_url, nonce=item.nonce)]

    def nack(self, got: Got) -> list[Got]:
        return self.ask(got.type_url, nonce=got.nonce, error="bad field")

    def wait(self, seconds: float) -> list[Got]:
        self.now += seconds
        return self._got(self.session.tick(self.now))

    def start(self, names: Mapping[str, Iterable[str]]) -> None:
        """Subscribe to each type and acknowledge everything."""
        for type_url, wanted in names.items():
            self.settle(self.ask(type_url, wanted))

    def settle(self, got: list[Got]) -> list[Got]:
        """Acknowledge until nothing comes; returns all that came."""
        seen = list(got)
        while got:
            got = self.ack(*got)
            seen += got
        return seen

    def _got(self, responses: tuple[Response, ...]) -> list[Got]:
        return [parse_delta(item.body) for item in responses]
