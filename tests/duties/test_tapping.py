"""Which proxies are watched, what they are sent for it, and that a control plane that starts anew takes it away."""

from msgspec.structs import replace

from tests.compiler.test_patches import view
from tests.intents.intent import gateway, server, world
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.compiler.resource import EXTENSION, Resources
from weft.compiler.resources import resources_of
from weft.duties.tapping import Tapping, covered, covers
from weft.kit.latest import Latest
from weft.model.mesh import Mesh
from weft.model.tap import IN, OUT, Looking, Showing, Side, Target
from weft.view.node import Node
from weft.xds.session import Session, Variant

REVIEWS = server("reviews-v1", 9080, 9081)
RATINGS = server("ratings-v1", 9080, 9081)
EDGE = gateway(0)


def tapping(*nodes: Node) -> tuple[Tapping, list[int]]:
    latest: Latest[Mesh] = Latest()
    latest.set(world())
    found, again = Tapping(("x-own",)), []
    found.follow(latest, lambda: nodes, lambda: again.append(1))
    return found, again


def scripts(resources: Resources) -> dict[str, bytes]:
    bodies = {one.name: one.body for one in resources.resources if one.type_url == EXTENSION}
    return {name: body for name, body in bodies.items() if b"envoy_on_request" in body}


def test_a_service_is_its_workloads_and_a_namespace_all_of_them():
    def of(target: Target) -> list[Node]:
        return [one for one in (REVIEWS, RATINGS) if covers(covered(target, world()), one)]

    assert of(Target(namespace="shop", service="reviews")) == [REVIEWS]
    assert of(Target(namespace="shop", workload=REVIEWS.workload)) == [REVIEWS]
    assert of(Target(namespace="shop")) == of(Target()) == [REVIEWS, RATINGS]
    assert of(Target(namespace="bank")) == of(Target(namespace="shop", service="nobody")) == []


def test_only_what_is_watched_is_sent_a_script_and_only_as_long_as_somebody_watches():
    found, again = tapping(REVIEWS, RATINGS)
    bare = resources_of(view())
    assert found.altered(bare, REVIEWS) is bare
    watcher = found.board.enter(Target(namespace="shop", service="reviews"), Side.IN, Looking(), Showing())
    assert watcher is not None
    assert watcher.proxies == {(REVIEWS.id, Side.IN)}
    assert set(scripts(found.altered(bare, REVIEWS))) == {IN}
    assert found.altered(bare, RATINGS) is bare
    found.board.leave(watcher)
    assert found.altered(bare, REVIEWS) is bare
    assert len(again) == 2


def test_a_proxy_that_comes_later_is_watched_too():
    found, _ = tapping()
    watcher = found.board.enter(Target(namespace="shop"), Side.OUT, Looking(), Showing())
    assert set(scripts(found.altered(resources_of(view()), REVIEWS))) == {OUT}
    assert watcher is not None
    assert watcher.proxies == {(REVIEWS.id, Side.OUT)}


def test_a_gateway_has_one_side():
    found, _ = tapping(EDGE)
    watcher = found.board.enter(Target(namespace=EDGE.namespace), Side.IN, Looking(), Showing())
    assert watcher is not None
    assert watcher.proxies == {(EDGE.id, Side.OUT)}


def test_scripts_are_sent_again_so_that_they_live_on():
    found, _ = tapping(REVIEWS)
    found.board.enter(Target(), Side.IN, Looking(), Showing())
    before = scripts(found.altered(resources_of(view()), REVIEWS))
    found._changed()
    after = scripts(found.altered(resources_of(view()), REVIEWS))
    assert before[IN] != after[IN]


def test_services_are_known_by_their_names_and_hosts():
    found, _ = tapping()
    for name in ("reviews", "reviews.shop", "reviews.shop.svc.cluster.local"):
        assert found.service_host(name, "shop") == "reviews.shop.svc.cluster.local"
    assert found.service_host("nobody", "shop") == "nobody"


def test_a_control_plane_that_starts_anew_takes_away_what_the_one_before_had_switched_on():
    found, _ = tapping(REVIEWS)
    found.board.enter(Target(), Side.IN, Looking(), Showing())
    bare = resources_of(view())
    held = next(one for one in found.altered(bare, REVIEWS).resources if one.name == IN)
    session = Session(Variant.DELTA)
    session.offer(replace(bare), 0.0)
    request = DeltaDiscoveryRequest(
        type_url=EXTENSION, resource_names_subscribe=[IN], initial_resource_versions={IN: held.version}
    )
    request.node.id = REVIEWS.id
    (answer,) = session.receive(request.SerializeToString(), 0.0)
    (sent,) = DeltaDiscoveryResponse.FromString(answer.body).resources
    assert sent.name == IN
    assert b"envoy_on_request" not in sent.resource.value
