"""Sessions against a model of Envoy under random offers, acknowledgements, refusals, reconnections and time.

Held at every step: no name twice, no removal of endpoints whose cluster lives, nothing refused sent again unchanged,
no route to a cluster that the client does not have, no cluster taken from under a route. Held at rest: the client has
what is offered.
"""

from collections import deque

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.xds.script import Got, cluster, endpoints, inner_name, listener, parse_delta, parse_sotw, resources, routes
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, Resources, version_of
from weft.xds.session import Session, Variant
from weft.xds.wire import Response

NAMES = ("a", "b", "c", "d")
TYPES = (CLUSTER, ENDPOINTS, LISTENER, ROUTES)

SERVICE = st.tuples(st.sampled_from(["", "2", "3"]), st.sampled_from([None, 1, 2]))
MESHES = st.dictionaries(st.sampled_from(NAMES), SERVICE, max_size=4)


def offer_of(services: dict[str, tuple[str, int | None]], target: int, content: str) -> tuple[Resource, ...]:
    """A consistent offer: the route leads to one of the services, or nowhere when there is none."""
    found = [cluster(name, version) for name, (version, _) in services.items()]
    found += [endpoints(name, port) for name, (_, port) in services.items() if port is not None]
    names = sorted(services)
    found.append(routes("r", names[target % len(names)] if names else ""))
    return (*found, listener("l", content))


class Envoy(RuleBasedStateMachine):
    """The client's side, in either variant; responses wait in ``arriving`` until a rule delivers them."""

    variant = Variant.DELTA

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.offered: dict[str, dict[str, bytes]] = {type_url: {} for type_url in TYPES}
        self.has: dict[str, dict[str, bytes]] = {type_url: {} for type_url in TYPES}
        self.refused: dict[tuple[str, str], bytes | None] = {}
        self.impatient = False
        self.session = Session(self.variant)
        self.arriving: deque[Got] = deque()
        self.take(self.session.offer(resources(), self.now))
        self.connect()

    # what the variants do differently

    def request(self, type_url: str, got: Got | None = None, error: str = "", **names: list[str]) -> None:
        message = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=names.get("add", []),
            resource_names_unsubscribe=names.get("drop", []),
            response_nonce=got.nonce if got else "",
        )
        if not got and names.get("first") is not None:
            versions = {name: version_of(body) for name, body in self.has[type_url].items()}
            message.initial_resource_versions.update(versions)
        if error:
            message.error_detail.message = error
        self.take(self.session.receive(message.SerializeToString(), self.now))

    def take(self, responses: tuple[Response, ...]) -> None:
        for response in responses:
            got = parse_delta(response.body) if self.variant is Variant.DELTA else parse_sotw(response.body)
            assert got.count == len(got.bodies)
            assert all(inner_name(got.type_url, body) == name for name, body in got.bodies.items())
            assert not set(got.removed) & set(got.bodies)
            assert got.type_url != ENDPOINTS or not set(got.removed) & set(self.offered[CLUSTER])
            for name in got.removed:  # what comes after a removal is new to the client
                self.refused.pop((got.type_url, name), None)
            self.arriving.append(got)

    # Envoy

    def connect(self) -> None:
        self.request(CLUSTER, first=[])
        self.request(ENDPOINTS, first=[], add=sorted(self.has[CLUSTER])) if self.has[CLUSTER] else None
        self.request(LISTENER, first=[])
        self.request(ROUTES, first=[], add=["r"])

    def route(self) -> str:
        body = self.has[ROUTES].get("r")
        hosts = RouteConfiguration.FromString(body).virtual_hosts if body else []
        return hosts[0].name if hosts else ""

    def complete(self, got: Got) -> None:
        """Say what an answer removes, where the variant leaves that to the client."""

    def apply(self, got: Got) -> None:
        self.complete(got)
        before = set(self.has[CLUSTER])
        routed = self.route() in before
        held = self.has[got.type_url]
        if got.type_url != ENDPOINTS:
            for name in got.removed:
                held.pop(name, None)
        held.update(got.bodies)
        for name in (*got.bodies, *got.removed):
            self.refused.pop((got.type_url, name), None)
        self.follow_clusters(before)
        self.check_route(got, routed)

    def follow_clusters(self, before: set[str]) -> None:
        now = set(self.has[CLUSTER])
        for name in before - now:
            self.has[ENDPOINTS].pop(name, None)
            self.refused.pop((ENDPOINTS, name), None)
        if now != before:
            self.endpoints_wanted(sorted(now - before), sorted(before - now))

    def endpoints_wanted(self, add: list[str], drop: list[str]) -> None:
        self.request(ENDPOINTS, add=add, drop=drop)

    def check_route(self, got: Got, routed: bool) -> None:
        """The route's cluster is there, unless it was refused or 30 seconds were over."""
        target = self.route()
        if not target or target in self.has[CLUSTER]:
            return
        if got.type_url == CLUSTER and routed:
            assert self.impatient, "a cluster went from under its route"
        if got.type_url == ROUTES:
            assert self.impatient or (CLUSTER, target) in self.refused, "a route came before its cluster"

    # rules

    @rule(services=MESHES, turn=st.integers(0, 3), content=st.sampled_from(["", "x"]))
    def offer(self, services: dict[str, tuple[str, int | None]], turn: int, content: str) -> None:
        items = offer_of(services, turn, content)
        self.offered = {type_url: {} for type_url in TYPES}
        for item in items:
            self.offered[item.type_url][item.name] = item.body
        responses = self.session.offer(resources(*items), self.now)
        for response in responses:
            self.check_not_again(response)
        self.take(responses)

    def check_not_again(self, response: Response) -> None:
        got = parse_delta(response.body)
        said: dict[str, bytes | None] = {**got.bodies, **dict.fromkeys(got.removed)}
        news = [name for name, body in said.items() if self.refused.get((got.type_url, name), b"!") != body]
        assert news or got.type_url == ENDPOINTS, "what was refused came again unchanged"

    @precondition(lambda self: self.arriving)
    @rule()
    def accept(self) -> None:
        got = self.arriving.popleft()
        self.apply(got)
        self.request(got.type_url, got)

    @precondition(lambda self: self.arriving)
    @rule()
    def refuse(self) -> None:
        got = self.arriving.popleft()
        self.complete(got)
        for name, body in got.bodies.items():
            self.refused[(got.type_url, name)] = body
        for name in got.removed:
            self.refused[(got.type_url, name)] = None
        self.request(got.type_url, got, "no")

    @precondition(lambda self: self.session.deadline(self.now) is not None)
    @rule()
    def wait(self) -> None:
        self.impatient = True  # for this stream
        self.now += 31
        self.take(self.session.tick(self.now))

    @rule()
    def reconnect(self) -> None:
        doubtful = self.session.unconfirmed()
        self.arriving.clear()
        self.refused.clear()
        self.impatient = False
        self.session = Session(self.variant, doubtful=doubtful)
        self.take(self.session.offer(self.current(), self.now))
        self.connect()

    def current(self) -> Resources:
        made = [
            Resource(type_url=type_url, name=name, version=version_of(body), body=body)
            for type_url in TYPES
            for name, body in self.offered[type_url].items()
        ]
        return resources(*made)

    @invariant()
    def at_most_a_few_answers_wait(self) -> None:
        assert len(self.arriving) < 50

    def teardown(self) -> None:
        for _ in range(100):
            while self.arriving:
                self.accept()
            if self.session.deadline(self.now) is None:
                break
            self.impatient = True
            self.now += 31
            self.take(self.session.tick(self.now))
        assert not self.arriving
        self.check_rest()

    def check_rest(self) -> None:
        for type_url in (CLUSTER, LISTENER):
            for name in {*self.offered[type_url], *self.has[type_url]}:
                self.same(type_url, name, self.offered[type_url].get(name))
        for name in self.has[CLUSTER]:
            if name in self.offered[CLUSTER]:
                self.same(ENDPOINTS, name, self.offered[ENDPOINTS].get(name, endpoints(name).body))
        if self.offered[ROUTES]:
            self.same(ROUTES, "r", self.offered[ROUTES]["r"])

    def same(self, type_url: str, name: str, wanted: bytes | None) -> None:
        if (type_url, name) in self.refused:
            return
        assert self.has[type_url].get(name) == wanted, (type_url, name)


class SotwEnvoy(Envoy):
    """The same over state of the world."""

    variant = Variant.SOTW

    def request(self, type_url: str, got: Got | None = None, error: str = "", **names: list[str]) -> None:
        if got is not None:
            self.nonces[type_url] = got.nonce
        wanted = {CLUSTER: [], LISTENER: [], ROUTES: ["r"], ENDPOINTS: sorted(self.has[CLUSTER])}[type_url]
        message = DiscoveryRequest(
            type_url=type_url, resource_names=wanted, response_nonce=self.nonces.get(type_url, "")
        )
        if error:
            message.error_detail.message = error
        self.take(self.session.receive(message.SerializeToString(), self.now))

    def connect(self) -> None:
        self.nonces: dict[str, str] = {}
        super().connect()

    def complete(self, got: Got) -> None:
        if got.type_url in (CLUSTER, LISTENER):
            got.removed = sorted(set(self.has[got.type_url]) - set(got.bodies))
            self.forget_but(got)

    def take(self, responses: tuple[Response, ...]) -> None:
        super().take(responses)
        for got in list(self.arriving)[len(self.arriving) - len(responses) :]:
            self.forget_but(got)

    def forget_but(self, got: Got) -> None:
        """What an answer lacks is removed by it: when it comes after that, it is new."""
        if got.type_url in (CLUSTER, LISTENER):
            for type_url, name in list(self.refused):
                if type_url == got.type_url and name not in got.bodies:
                    del self.refused[(type_url, name)]

    def check_not_again(self, response: Response) -> None:
        got = parse_sotw(response.body)
        refused = {name for type_url, name in self.refused if type_url == got.type_url}
        changed = any(self.refused.get((got.type_url, name), b"!") != body for name, body in got.bodies.items())
        assert changed or refused - set(got.bodies) or not got.bodies or got.type_url == ENDPOINTS

    def check_route(self, got: Got, routed: bool) -> None:
        """A full answer waits for the one before, and the routes do not: a new cluster may come after its route."""


_EFFORT = settings(stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestDeltaModel = Envoy.TestCase
TestDeltaModel.settings = _EFFORT
TestSotwModel = SotwEnvoy.TestCase
TestSotwModel.settings = _EFFORT
