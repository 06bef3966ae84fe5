"""Secrets on a stream: whoever asks for every name gets its own, and of the others not even whether they exist."""

from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.compiler.resource import SECRET, Resources, resource
from weft.xds.session import Session, Variant
from weft.xds.wire import _kept_delta, _kept_sotw

OWN = resource(SECRET, "kubernetes://own", b"\x0a\x10kubernetes://own")
FOREIGN = ("kubernetes://other", "kubernetes-gateway://bank/cert", "kubernetes://../own", "*", "default", "")


def asked(session: Session, *names: str, nonce: str = "") -> list[DeltaDiscoveryResponse]:
    request = DeltaDiscoveryRequest(type_url=SECRET, resource_names_subscribe=names, response_nonce=nonce)
    sent = session.receive(request.SerializeToString(), 0.0)
    return [DeltaDiscoveryResponse.FromString(one.body) for one in sent]


def test_every_other_name_is_answered_alike() -> None:
    session = Session(Variant.DELTA)
    session.offer(Resources(resources=(OWN,)), 0.0)
    (answer,) = asked(session, "kubernetes://own", *(name for name in FOREIGN if name and name != "*"))
    assert [one.name for one in answer.resources] == ["kubernetes://own"]
    assert set(answer.removed_resources) == {name for name in FOREIGN if name and name != "*"}


def test_asking_for_all_brings_no_more_than_what_the_proxy_may_have() -> None:
    session = Session(Variant.DELTA)
    session.offer(Resources(resources=(OWN,)), 0.0)
    (answer,) = asked(session, "*")
    assert [one.name for one in answer.resources] == ["kubernetes://own"]


def test_a_secret_that_changed_is_sent_and_one_that_is_gone_is_removed() -> None:
    session = Session(Variant.DELTA)
    session.offer(Resources(resources=(OWN,)), 0.0)
    (answer,) = asked(session, "kubernetes://own")
    assert asked(session, nonce=answer.nonce) == []
    newer = resource(SECRET, OWN.name, OWN.body + b"\x12\x00")
    (sent,) = session.offer(Resources(resources=(newer,)), 0.0)
    (changed,) = DeltaDiscoveryResponse.FromString(sent.body).resources
    assert changed.version == newer.version
    assert asked(session, nonce=sent.nonce) == []
    (gone,) = session.offer(Resources(), 0.0)
    assert list(DeltaDiscoveryResponse.FromString(gone.body).removed_resources) == [OWN.name]


def test_no_cache_keeps_what_was_sent() -> None:
    before = (_kept_delta.cache_info().currsize, _kept_sotw.cache_info().currsize)  # type: ignore[attr-defined]
    for variant in Variant:
        session = Session(variant)
        session.offer(Resources(resources=(resource(SECRET, "kubernetes://x", b"\x0a\x01x"),)), 0.0)
        if variant is Variant.DELTA:
            assert asked(session, "kubernetes://x")
    assert (_kept_delta.cache_info().currsize, _kept_sotw.cache_info().currsize) == before  # type: ignore[attr-defined]
