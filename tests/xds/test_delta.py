"""Incremental streams, X56-X78 of the conformance table (and the rows above that hold for both), on the session alone.

X79-X89 are about proxyless gRPC clients, which nothing compiles for yet.
"""

import pytest

from tests.xds.script import VIRTUAL_HOST, Delta, cluster, endpoints, inner_name, listener, routes
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, resource
from weft.xds.delta import MAX_ANSWER, MAX_NAMES
from weft.xds.errors import Malformed, TooMuch
from weft.xds.session import MAX_TYPES
from weft.xds.status import SyncState

EVERYTHING = {CLUSTER: (), ENDPOINTS: ["a"], LISTENER: (), ROUTES: ["r"]}


def test_x56_a_first_request_without_names_means_all() -> None:
    (got,) = Delta(cluster("a"), cluster("b")).ask(CLUSTER)
    assert got.names == ["a", "b"]
    assert all(got.versions.values())


def test_x56_a_fresh_client_is_answered_even_when_there_is_nothing() -> None:
    (got,) = Delta().ask(LISTENER)
    assert got.count == 0
    assert got.removed == []


def test_x57_a_name_beside_the_wildcard_is_sent_and_the_wildcard_goes_on() -> None:
    client = Delta(cluster("a"), cluster("b"))
    client.start({CLUSTER: ()})
    (named,) = client.ask(CLUSTER, ["a"])
    assert named.names == ["a"]
    client.ack(named)
    (got,) = client.offer(cluster("a"), cluster("b", "changed"))
    assert got.names == ["b"]


def test_x58_the_wildcard_ends_and_the_name_goes_on() -> None:
    client = Delta(cluster("a"), cluster("b"))
    client.start({CLUSTER: ()})
    client.settle(client.ask(CLUSTER, ["a"]))
    assert client.ask(CLUSTER, unsubscribe=["*"]) == []
    assert client.offer(cluster("a"), cluster("b", "changed"), cluster("c")) == []
    (got,) = client.offer(cluster("a", "changed"))
    assert got.names == ["a"]
    assert got.removed == []


def test_x59_unsubscribing_a_name_that_the_wildcard_covers_is_answered() -> None:
    client = Delta(cluster("a"))
    client.start({CLUSTER: ()})
    client.settle(client.ask(CLUSTER, ["a", "nobody"]))
    (got,) = client.ask(CLUSTER, unsubscribe=["a", "nobody"])
    assert got.names == ["a"]
    assert got.removed == ["nobody"]


def test_x60_unsubscribing_everything_is_no_wildcard() -> None:
    client = Delta(endpoints("a", 1), cluster("a"))
    client.settle(client.ask(CLUSTER, ["a"]))
    assert client.ask(CLUSTER, unsubscribe=["a"]) == []
    assert client.offer(cluster("a", "changed"), cluster("b")) == []


def test_x61_a_client_that_comes_back_with_everything_gets_nothing() -> None:
    content = (cluster("a"), endpoints("a", 1), listener("l"), routes("r"))
    versions = {(item.type_url, item.name): item.version for item in content}
    client = Delta(*content)
    assert client.ask(CLUSTER, known={"a": versions[CLUSTER, "a"]}) == []
    assert client.ask(ENDPOINTS, ["a"], known={"a": versions[ENDPOINTS, "a"]}) == []
    assert client.ask(LISTENER, known={"l": versions[LISTENER, "l"]}) == []
    assert client.ask(ROUTES, ["r"], known={"r": versions[ROUTES, "r"]}) == []
    assert [item.state for item in client.session.status()] == [SyncState.SYNCED] * 4
    (got,) = client.offer(cluster("a"), endpoints("a", 2), listener("l"), routes("r"))
    assert got.type_url == ENDPOINTS


def test_x62_only_what_is_outdated_is_sent() -> None:
    client = Delta(cluster("a"), cluster("b", "new"))
    (got,) = client.ask(CLUSTER, known={"a": cluster("a").version, "b": cluster("b", "old").version})
    assert got.names == ["b"]


def test_x63_what_was_deleted_meanwhile_is_removed() -> None:
    client = Delta(listener("l"))
    (got,) = client.ask(LISTENER, known={"l": listener("l").version, "gone": "1"})
    assert got.names == []
    assert got.removed == ["gone"]


def test_x63_a_deleted_cluster_is_removed_within_a_second_when_no_routes_are_asked_for() -> None:
    client = Delta(cluster("a"))
    assert client.ask(CLUSTER, known={"a": cluster("a").version, "gone": "1"}) == []
    assert client.session.deadline(client.now) == 1.0
    (got,) = client.wait(1)
    assert got.removed == ["gone"]


def test_x41_x63_a_cluster_deleted_meanwhile_stays_until_the_routes_that_left_it_are_acknowledged() -> None:
    client = Delta(cluster("y"), endpoints("y", 1), listener("l"), routes("r", "to-y"))
    known = {CLUSTER: {"x": "1"}, LISTENER: {"l": listener("l").version}, ROUTES: {"r": routes("r", "to-x").version}}
    (clusters,) = client.ask(CLUSTER, known=known[CLUSTER])
    assert clusters.names == ["y"]
    assert clusters.removed == []
    assert client.ack(clusters) == []
    assert client.ask(LISTENER, known=known[LISTENER]) == []
    (changed,) = client.ask(ROUTES, ["r"], known=known[ROUTES])
    assert client.wait(5) == []
    (got,) = client.ack(changed)
    assert got.removed == ["x"]


def test_x64_what_was_refused_is_sent_again_or_removed_once_on_the_next_stream() -> None:
    client = Delta(listener("a"), listener("b"), listener("c"))
    client.start({LISTENER: ()})
    (bad,) = client.offer(listener("a", "bad"), listener("b", "bad"), listener("c"))
    client.nack(bad)
    doubtful = client.session.unconfirmed()
    assert doubtful == {LISTENER: ("a", "b")}
    again = Delta(listener("a", "bad"), listener("c"), doubtful=doubtful)
    (got,) = again.ask(LISTENER, known={"c": listener("c").version})
    assert got.names == ["a"]
    assert got.removed == ["b"]
    again.ack(got)
    assert again.session.unconfirmed() == {}


def test_x64_what_was_never_acknowledged_is_sent_again_whatever_the_client_says() -> None:
    client = Delta(cluster("a"), endpoints("a", 1))
    client.start({CLUSTER: (), ENDPOINTS: ["a"]})
    client.offer(cluster("a", "2"), endpoints("a", 1))
    again = Delta(cluster("a", "2"), endpoints("a", 1), doubtful=client.session.unconfirmed())
    clusters = again.ask(CLUSTER, known={"a": cluster("a", "2").version})
    warmed = again.ask(ENDPOINTS, ["a"], known={"a": endpoints("a", 1).version})
    assert [got.names for got in clusters + warmed] == [["a"], ["a"]]


@pytest.mark.parametrize("type_url", [CLUSTER, ENDPOINTS, LISTENER, ROUTES])
def test_x65_an_unknown_name_is_removed_at_once_and_pushed_when_it_exists(type_url: str) -> None:
    make = {CLUSTER: cluster, ENDPOINTS: endpoints, LISTENER: listener, ROUTES: routes}[type_url]
    client = Delta()
    (got,) = client.ask(type_url, ["later"])
    assert got.removed == ["later"]
    assert got.names == []
    client.ack(got)
    (created,) = client.offer(make("later"))
    assert created.names == ["later"]


def test_x66_a_name_subscribed_again_is_sent_again() -> None:
    client = Delta(endpoints("a", 1))
    client.start({ENDPOINTS: ["a"]})
    (got,) = client.ask(ENDPOINTS, ["a"])
    assert got.names == ["a"]


def test_x67_unsubscribing_what_was_never_subscribed_is_ignored() -> None:
    client = Delta(endpoints("a", 1))
    client.start({ENDPOINTS: ["a"]})
    assert client.ask(ENDPOINTS, unsubscribe=["b"]) == []


def test_x68_names_count_even_with_a_stale_nonce() -> None:
    client = Delta(endpoints("a", 1), endpoints("b", 2))
    (first,) = client.ask(ENDPOINTS, ["a"])
    client.ack(first)
    client.offer(endpoints("a", 9), endpoints("b", 2))
    (got,) = client.ask(ENDPOINTS, ["b"], nonce=first.nonce)
    assert got.names == ["b"]
    assert client.session.status()[0].state is SyncState.STALE


def test_x69_a_refusal_is_recorded_and_only_a_change_is_sent() -> None:
    client = Delta(cluster("a"), cluster("b"))
    client.start({CLUSTER: ()})
    (bad,) = client.offer(cluster("a", "bad"), cluster("b"))
    assert client.nack(bad) == []
    assert client.session.status()[0].state is SyncState.NACK
    assert client.session.status()[0].error == "bad field"
    (other,) = client.offer(cluster("a", "bad"), cluster("b", "changed"))
    assert other.names == ["b"]
    client.ack(other)
    assert client.session.status()[0].state is SyncState.NACK
    (mended,) = client.offer(cluster("a", "good"), cluster("b", "changed"))
    assert mended.names == ["a"]
    client.ack(mended)
    assert client.session.status()[0].state is SyncState.SYNCED


def test_x69_a_refused_batch_comes_again_as_a_whole_once_a_member_is_mended() -> None:
    client = Delta(listener("a"), listener("b"), listener("c"))
    client.start({LISTENER: ()})
    (bad,) = client.offer(listener("a", "fine"), listener("b", "bad"), listener("c"))
    client.nack(bad)
    (mended,) = client.offer(listener("a", "fine"), listener("c"))
    assert mended.names == ["a"]
    assert mended.removed == ["b"]


def test_x69_a_refusal_is_forgotten_with_the_subscription() -> None:
    client = Delta(endpoints("a", 1))
    (bad,) = client.ask(ENDPOINTS, ["a"])
    client.nack(bad)
    client.ask(ENDPOINTS, unsubscribe=["a"])
    assert client.session.status()[0].error == ""
    assert client.session.unconfirmed() == {}


def test_x70_wrapper_and_content_have_one_name_and_no_name_comes_twice() -> None:
    content = (cluster("a"), cluster("b"), cluster("a", "other"))
    (got,) = Delta(*content).ask(CLUSTER, ["*", "a"])
    assert got.count == 2
    assert all(inner_name(CLUSTER, body) == name for name, body in got.bodies.items())
    assert all(got.versions.values())
    assert got.aliases == {"a": [], "b": []}


def test_x71_deleting_and_creating_at_once_is_one_update() -> None:
    client = Delta(cluster("a"))
    client.start({CLUSTER: ()})
    (got,) = client.offer(cluster("a", "2"))
    assert got.names == ["a"]
    assert got.removed == []


def test_x71_a_cluster_that_comes_back_while_it_lingers_stays() -> None:
    client = Delta(cluster("a"), listener("l"), routes("r", "to-a"))
    client.start({CLUSTER: (), LISTENER: (), ROUTES: ["r"]})
    (changed,) = client.offer(listener("l"), routes("r", "to-b"))
    assert changed.type_url == ROUTES
    assert client.offer(cluster("a"), listener("l"), routes("r", "to-b")) == []
    assert client.ack(changed) == []
    assert client.wait(60) == []


def test_x72_endpoints_are_never_removed_while_their_cluster_lives() -> None:
    client = Delta(cluster("a"), endpoints("a", 1))
    client.start({CLUSTER: (), ENDPOINTS: ["a"]})
    (got,) = client.offer(cluster("a"))
    assert got.removed == []
    assert got.bodies == {"a": endpoints("a").body}


def test_x73_a_cluster_without_endpoints_is_answered_at_once() -> None:
    client = Delta(cluster("a"))
    client.settle(client.ask(CLUSTER))
    (got,) = client.ask(ENDPOINTS, ["a"])
    assert got.bodies == {"a": endpoints("a").body}


def test_x74_nothing_is_removed_that_the_client_does_not_have() -> None:
    client = Delta(cluster("a"), cluster("b"))
    client.settle(client.ask(CLUSTER, ["a"]))
    assert client.offer(cluster("a")) == []


def test_x75_of_ten_thousand_names_one_changed_is_one_sent() -> None:
    names = [f"service-{number}" for number in range(10_000)]
    client = Delta(*(endpoints(name, 80) for name in names))
    client.start({ENDPOINTS: names})
    (got,) = client.offer(*(endpoints(name, 80) for name in names[1:]), endpoints("service-0", 81))
    assert got.names == ["service-0"]


def test_x76_parameters_of_a_name_have_no_order() -> None:
    stored = "xdstp://authority/envoy.config.cluster.v3.Cluster/a?x=1&y=2"
    spelled = "xdstp://authority/envoy.config.cluster.v3.Cluster/a?y=2&x=1"
    client = Delta(cluster(stored))
    (got,) = client.ask(CLUSTER, [spelled, "xdstp://authority/unknown?b=1&a=2"])
    assert got.names == [stored]
    assert got.aliases[stored] == [spelled]
    assert got.removed == ["xdstp://authority/unknown?b=1&a=2"]
    client.ack(got)
    assert client.ask(CLUSTER, unsubscribe=[stored]) == []
    assert client.offer(cluster(stored, "changed")) == []


def test_x77_a_virtual_host_on_demand_is_answered_at_once() -> None:
    host = resource(VIRTUAL_HOST, "routes/known.example", b"routes/known.example")
    (got,) = Delta(host).ask(VIRTUAL_HOST, ["routes/known.example", "routes/unknown.example"])
    assert got.names == ["routes/known.example"]
    assert got.removed == ["routes/unknown.example"]


def test_x78_a_cluster_on_demand_is_answered_although_another_answer_is_unacknowledged() -> None:
    client = Delta(cluster("a"), cluster("b"))
    (first,) = client.ask(CLUSTER, ["a"])
    (second,) = client.ask(CLUSTER, ["b", "nobody"])
    assert first.names == ["a"]
    assert second.names == ["b"]
    assert second.removed == ["nobody"]
    assert client.offer(cluster("a", "changed"), cluster("b")) == []
    assert client.ack(second) == []
    (got,) = client.ack(first)
    assert got.names == ["a"]


def test_x40_x43_a_changed_cluster_brings_its_endpoints_and_no_type_waits_for_another() -> None:
    content = (endpoints("a", 1), listener("l"), routes("r"))
    client = Delta(cluster("a"), *content)
    client.start(EVERYTHING)
    first = client.offer(cluster("a", "2"), *content)
    assert [(got.type_url, got.names) for got in first] == [(CLUSTER, ["a"]), (ENDPOINTS, ["a"])]
    client.ack(first[1])
    second = client.offer(cluster("a", "3"), endpoints("a", 2), listener("l", "2"), routes("r", "2"))
    assert [got.type_url for got in second] == [ENDPOINTS, LISTENER, ROUTES]
    client.ack(*second)
    clusters, warmed = client.ack(first[0])
    assert clusters.bodies == {"a": cluster("a", "3").body}
    assert warmed.names == ["a"]


def test_x41_make_before_break_and_the_order_of_pushes() -> None:
    client = Delta(cluster("a"), endpoints("a", 1), listener("l"), routes("r", "to-a"))
    client.start(EVERYTHING)
    clusters, warm, changed = client.offer(cluster("b"), endpoints("b", 2), listener("l"), routes("r", "to-b"))
    assert (clusters.names, clusters.removed) == (["b"], [])
    assert (warm.type_url, warm.names) == (ENDPOINTS, ["b"])
    assert changed.type_url == ROUTES
    (asked,) = client.ask(ENDPOINTS, ["b"])
    assert asked.names == ["b"]
    assert client.ack(clusters, warm, asked) == []
    (got,) = client.ack(changed)
    assert (got.type_url, got.names, got.removed) == (CLUSTER, [], ["a"])
    client.ack(got)
    assert client.ask(ENDPOINTS, unsubscribe=["a"]) == []


def test_x41_a_new_cluster_does_not_wait_for_an_acknowledgement_that_envoy_withholds() -> None:
    client = Delta(cluster("a"), listener("l"), routes("r", "to-a"))
    client.start({CLUSTER: (), LISTENER: (), ROUTES: ["r"]})
    client.offer(cluster("a", "warming"), listener("l"), routes("r", "to-a"))
    sent = client.offer(cluster("a", "later"), cluster("b"), listener("l"), routes("r", "to-b"))
    assert [(got.type_url, got.names) for got in sent] == [(CLUSTER, ["b"]), (ROUTES, ["r"])]


def test_x41_a_client_that_came_back_gets_new_clusters_warm_before_the_routes_to_them() -> None:
    client = Delta(cluster("b"), endpoints("b", 2), routes("r", "to-b"))
    sent = client.ask(ENDPOINTS, ["a"], known={"a": "1"})
    sent += client.ask(CLUSTER, known={"a": "1"})
    sent += client.ask(ROUTES, ["r"], known={"r": "1"})
    assert [got.type_url for got in sent] == [ENDPOINTS, CLUSTER, ENDPOINTS, ROUTES]
    assert sent[0].removed == ["a"]
    assert sent[2].names == ["b"]


def test_endpoints_are_not_sent_unasked_while_a_client_starts() -> None:
    client = Delta(cluster("a"), endpoints("a", 1))
    assert [got.type_url for got in client.ask(CLUSTER)] == [CLUSTER]


def test_x42_endpoints_asked_for_before_clusters_are_sent_again_after_them() -> None:
    client = Delta(cluster("a"), endpoints("a", 1))
    client.settle(client.ask(ENDPOINTS, ["a"]))
    assert [(got.type_url, got.names) for got in client.ask(CLUSTER)] == [(CLUSTER, ["a"]), (ENDPOINTS, ["a"])]


def test_a_push_waits_for_the_acknowledgement_of_the_one_before_and_holds_the_latest() -> None:
    client = Delta(endpoints("a", 1))
    client.start({ENDPOINTS: ["a"]})
    (first,) = client.offer(endpoints("a", 2))
    assert client.offer(endpoints("a", 3)) == []
    assert client.offer(endpoints("a", 4)) == []
    (got,) = client.ack(first)
    assert got.bodies == {"a": endpoints("a", 4).body}


def test_a_request_that_is_no_message_ends_the_stream() -> None:
    with pytest.raises(Malformed):
        Delta().session.receive(b"\xff\xff", 0)


def test_a_stream_names_a_bounded_number_of_types_and_names() -> None:
    client = Delta()
    for number in range(MAX_TYPES):
        client.ask(f"type.googleapis.com/made.up.T{number}")
    with pytest.raises(TooMuch):
        client.ask(CLUSTER)
    with pytest.raises(TooMuch):
        Delta().ask(ENDPOINTS, [f"n{number}" for number in range(MAX_NAMES + 1)])


def test_an_answer_that_is_too_large_comes_in_parts_one_after_the_other() -> None:
    many = [cluster(f"c{number:03}", "x" * 100_000) for number in range(70)]
    client = Delta(*many, *(endpoints(one.name, 80) for one in many))
    parts = client.ask(CLUSTER)
    assert len(parts) == 3
    assert sorted(name for part in parts for name in part.names) == [one.name for one in many]
    for part in parts:
        assert sum(len(body) for body in part.bodies.values()) <= MAX_ANSWER
    client.settle(parts)
    assert [one.state for one in client.session.status()] == [SyncState.SYNCED]
    (changed,) = client.offer(*many[1:], cluster("c000", "y"))
    assert changed.names == ["c000"]


def test_a_resource_that_is_too_large_has_an_answer_of_its_own() -> None:
    client = Delta(cluster("a"), cluster("b", "x" * (MAX_ANSWER + 1)), cluster("c"))
    assert [part.names for part in client.ask(CLUSTER)] == [["a"], ["b"], ["c"]]


def test_the_endpoints_of_all_parts_follow_them() -> None:
    many = [cluster(f"c{number:03}", "x" * 100_000) for number in range(70)]
    everything = [*many, *(endpoints(one.name, 80) for one in many)]
    client = Delta(*everything)
    client.start({CLUSTER: (), ENDPOINTS: [one.name for one in many], LISTENER: ()})
    changed = [cluster(one.name, "y" * 100_000) for one in many]
    answers = client.offer(*changed, *everything[70:])
    assert [one.type_url for one in answers] == [CLUSTER, CLUSTER, CLUSTER, ENDPOINTS]
    assert sorted(answers[-1].names) == [one.name for one in many]


def test_routes_to_the_first_cluster_with_endpoints_wait_until_the_client_asks_for_these() -> None:
    client = Delta(listener("l"), routes("r"))
    client.start({CLUSTER: (), LISTENER: (), ROUTES: ["r"]})
    offered = (cluster("a"), endpoints("a", 80), listener("l"), routes("r", "a"))
    assert [one.type_url for one in client.offer(*offered)] == [CLUSTER]
    assert [one.type_url for one in client.ask(ENDPOINTS, ["a"])] == [ENDPOINTS, ROUTES]


def test_routes_do_not_wait_longer_than_a_second_for_a_client_that_asks_for_no_endpoints() -> None:
    client = Delta(listener("l"), routes("r"))
    client.start({CLUSTER: (), LISTENER: (), ROUTES: ["r"]})
    client.offer(cluster("a"), endpoints("a", 80), listener("l"), routes("r", "a"))
    assert client.wait(0.5) == []
    assert client.session.deadline(client.now) == 1.0
    (got,) = client.wait(0.6)
    assert got.type_url == ROUTES
    client.ack(got)
    assert client.session.deadline(client.now) is None
