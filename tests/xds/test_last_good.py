"""What an agent may keep of its proxy's configuration: all but keys."""

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.compiler.resource import CLUSTER, SECRET, Resources, SecretUse, resource
from weft.model.credential import Credential
from weft.model.identity import Identity
from weft.xds.fleet import Connection, Fleet
from weft.xds.introduction import Introduction
from weft.xds.last_good import last_good
from weft.xds.session import Session, Variant

EDGE = Identity(trust_domain="cluster.local", namespace="shop", account="edge")
A = resource(CLUSTER, "a", b"a cluster")
KEY = resource(SECRET, "kept://edge", b"a private key")
ROOTS = resource(SECRET, "kept://edge-roots", b"authorities")
USES = (
    SecretUse(name=KEY.name, credential=Credential(name="edge")),
    SecretUse(name=ROOTS.name, credential=Credential(name="edge"), authorities=True),
)


def fleet_of(resources: Resources) -> Fleet:
    """One proxy that has acknowledged its clusters."""
    fleet, session = Fleet(), Session(Variant.DELTA)
    connection = Connection(Introduction(identity=EDGE, node_id="edge.shop", metadata=""), session, 0.0)
    connection.resources = resources
    fleet.join(connection)
    session.offer(resources, 0.0)
    (answer,) = session.receive(DeltaDiscoveryRequest(type_url=CLUSTER).SerializeToString(), 0.0)
    session.receive(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce).SerializeToString(), 0.0)
    return fleet


def test_keys_are_named_and_left_out_and_authorities_are_kept() -> None:
    kept = last_good(fleet_of(Resources(resources=(A, KEY, ROOTS), secrets=USES)), EDGE, "edge.shop")
    assert kept is not None
    assert b"a private key" not in kept.body
    answer = DeltaDiscoveryResponse.FromString(kept.body)
    assert [one.name for one in answer.resources] == ["a", ROOTS.name]
    assert list(answer.removed_resources) == [KEY.name]


def test_another_key_of_the_same_name_is_no_news_and_one_that_is_gone_is() -> None:
    other = resource(SECRET, KEY.name, b"another private key")
    digests = [
        found.digest
        for secrets in ((KEY,), (other,), ())
        if (found := last_good(fleet_of(Resources(resources=(A, *secrets))), EDGE, "edge.shop"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_only_the_proxy_itself_is_answered() -> None:
    other = Identity(trust_domain="cluster.local", namespace="shop", account="web")
    assert last_good(fleet_of(Resources(resources=(resource(CLUSTER, "a", b""),))), other, "edge.shop") is None
