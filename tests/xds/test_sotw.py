"""State-of-the-world streams, X01-X45 of the conformance table, on the session alone.

Rows about sockets, credentials and limits (X29-X39, X48-X55) are in ``test_server.py``. X50 (database away) is the
pipeline's, in ``tests/pipeline/test_pipeline.py``. X46 and X47 (a workload's own secrets) are served by the agent
beside the proxy, not by the control plane.
"""

import time

import pytest

from tests.xds.script import Delta, Sotw, cluster, endpoints, listener, routes
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource
from weft.xds.errors import Malformed
from weft.xds.status import SyncState


def test_x01_a_first_request_is_answered_with_all_clusters() -> None:
    client = Sotw(cluster("a"), cluster("b"), endpoints("a", 1))
    (got,) = client.ask(CLUSTER)
    assert got.names == ["a", "b"]
    assert got.type_url == CLUSTER
    assert got.nonce
    assert got.version


def test_x01_a_first_request_is_answered_even_when_there_are_none() -> None:
    (got,) = Sotw().ask(CLUSTER)
    assert got.count == 0
    assert got.version


def test_x02_an_acknowledgement_is_met_with_silence_and_a_later_change_is_pushed() -> None:
    client = Sotw(cluster("a"))
    (first,) = client.ask(CLUSTER)
    assert client.ack(first) == []
    (second,) = client.offer(cluster("a"), cluster("b"))
    assert second.names == ["a", "b"]
    assert second.version != first.version
    assert second.nonce != first.nonce


def test_x03_a_refusal_is_recorded_and_the_same_version_never_sent_again() -> None:
    client = Sotw(cluster("a"))
    (first,) = client.ask(CLUSTER)
    client.ack(first)
    (bad,) = client.offer(cluster("a", "bad"))
    assert client.nack(bad, version=first.version) == []
    (status,) = client.session.status()
    assert status.state is SyncState.NACK
    assert status.error == "bad field"
    assert status.acked_version == first.version
    assert client.offer(cluster("a", "bad")) == []
    (mended,) = client.offer(cluster("a", "good"))
    client.ack(mended)
    assert client.session.status()[0].state is SyncState.SYNCED


def test_x04_an_old_version_without_an_error_is_a_change_of_subscription() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2))
    (first,) = client.ask(ENDPOINTS, ["a"])
    (second,) = client.ask(ENDPOINTS, ["a", "b"], version="", nonce=first.nonce)
    assert second.names == ["a", "b"]
    assert client.session.status()[0].error == ""


def test_x05_stale_nonce_is_ignored() -> None:
    client = Sotw(cluster("a"))
    (first,) = client.ask(CLUSTER)
    client.ack(first)
    (second,) = client.offer(cluster("b"))
    assert client.ask(CLUSTER, [], first.version, first.nonce) == []
    assert client.session.status()[0].state is SyncState.STALE
    assert client.session.status()[0].acked_version == first.version
    client.ack(second)
    assert client.session.status()[0].state is SyncState.SYNCED


def test_x06_new_names_with_a_stale_nonce_count_only_once_the_nonce_is_current() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2))
    (first,) = client.ask(ENDPOINTS, ["a"])
    client.ack(first, ["a"])
    (second,) = client.offer(endpoints("a", 9), endpoints("b", 2))
    assert client.ask(ENDPOINTS, ["a", "b"], first.version, first.nonce) == []
    (third,) = client.ask(ENDPOINTS, ["a", "b"], second.version, second.nonce)
    assert third.names == ["a", "b"]


@pytest.mark.parametrize(("version", "nonce"), [("", "7"), ("current", ""), ("current", "7")])
def test_x07_x08_the_first_request_of_a_stream_is_answered_whatever_it_remembers(version: str, nonce: str) -> None:
    content = (cluster("a"), endpoints("a", 1))
    (before,) = Sotw(*content).ask(CLUSTER)
    (again,) = Sotw(*content).ask(CLUSTER, [], before.version if version else "", nonce)
    assert again.names == ["a"]
    assert again.version == before.version


@pytest.mark.parametrize("names", [[], ["*"]])
def test_x09_x10_nothing_and_the_asterisk_mean_all(names: list[str]) -> None:
    (got,) = Sotw(cluster("a"), cluster("b")).ask(CLUSTER, names)
    assert got.names == ["a", "b"]


def test_x11_to_x13_from_all_to_one_to_none() -> None:
    client = Sotw(cluster("a"), cluster("b"))
    (got,) = client.ask(CLUSTER, ["*"])
    client.ack(got, ["*"])
    client.ask(CLUSTER, ["*", "a"], got.version, got.nonce)
    last = client.last[CLUSTER]
    assert last.names == ["a", "b"]
    client.ask(CLUSTER, ["a"], last.version, last.nonce)
    client.ack(client.last[CLUSTER], ["a"])
    assert client.last[CLUSTER].names == ["a"]
    assert client.offer(cluster("a"), cluster("b", "changed")) == []
    (only,) = client.offer(cluster("a", "changed"), cluster("b", "changed"))
    assert only.names == ["a"]
    assert client.ask(CLUSTER, [], only.version, only.nonce) == []
    assert client.offer(cluster("a", "again")) == []


def test_x14_named_endpoints_are_answered() -> None:
    (got,) = Sotw(endpoints("a", 1), endpoints("b", 2), endpoints("c", 3)).ask(ENDPOINTS, ["a", "b"])
    assert got.names == ["a", "b"]


def test_x15_an_added_name_is_answered() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2))
    (first,) = client.ask(ENDPOINTS, ["a"])
    client.ack(first, ["a"])
    (second,) = client.ask(ENDPOINTS, ["a", "b"], first.version, first.nonce)
    assert "b" in second.names


def test_x16_a_dropped_name_is_not_sent_any_more() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2))
    (first,) = client.ask(ENDPOINTS, ["a", "b"])
    assert client.ack(first, ["a"]) == []
    assert client.offer(endpoints("a", 1), endpoints("b", 9)) == []


def test_x17_no_names_of_endpoints_never_means_all() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2))
    assert client.ask(ENDPOINTS, []) == []
    (first,) = client.ask(ENDPOINTS, ["a"])
    assert client.ack(first, []) == []
    assert client.offer(endpoints("a", 9), endpoints("b", 9)) == []


def test_x18_a_name_that_comes_back_is_sent_again() -> None:
    client = Sotw(endpoints("a", 1))
    (first,) = client.ask(ENDPOINTS, ["a"])
    client.ack(first, ["a"])
    assert client.ask(ENDPOINTS, [], first.version, first.nonce) == []
    (again,) = client.ask(ENDPOINTS, ["a"], first.version, first.nonce)
    assert again.names == ["a"]


@pytest.mark.parametrize("type_url", [CLUSTER, ENDPOINTS, LISTENER, ROUTES])
def test_x19_an_unknown_name_is_met_with_silence_until_it_exists(type_url: str) -> None:
    make = {CLUSTER: cluster, ENDPOINTS: endpoints, LISTENER: listener, ROUTES: routes}[type_url]
    client = Sotw()
    assert client.ask(type_url, ["later"]) == []
    assert client.session.status()[0].state is SyncState.NOT_SENT
    (got,) = client.offer(make("later"))
    assert got.names == ["later"]


def test_x20_names_are_a_set() -> None:
    (got,) = Sotw(endpoints("a", 1)).ask(ENDPOINTS, ["a", "a"])
    assert got.count == 1


def test_x21_ten_thousand_names_are_answered_within_two_seconds() -> None:
    names = [f"outbound|9080||service-{number}.some-namespace.svc.cluster.local" for number in range(10_000)]
    client = Sotw(*(endpoints(name, 80) for name in names))
    begin = time.process_time()  # nothing is waited for, so what others do on the machine is none of it
    (got,) = client.ask(ENDPOINTS, names)
    assert time.process_time() - begin < 2
    assert got.count == 10_000


def test_x22_a_changed_cluster_brings_all_clusters() -> None:
    many = [cluster(f"c{number:03}") for number in range(99)]
    client = Sotw(*many, cluster("x"))
    client.start({CLUSTER: ()})
    (got,) = client.offer(*many, cluster("x", "changed"))
    assert got.count == 100


def test_x23_deleting_the_last_cluster_is_an_empty_answer() -> None:
    client = Sotw(cluster("a"))
    client.start({CLUSTER: ()})
    (got,) = client.offer()
    assert got.count == 0


def test_x24_endpoints_that_vanish_while_their_cluster_lives_become_an_empty_assignment() -> None:
    client = Sotw(cluster("a"), endpoints("a", 1))
    client.start({CLUSTER: (), ENDPOINTS: ["a"]})
    (got,) = client.offer(cluster("a"))
    assert got.type_url == ENDPOINTS
    assert got.bodies == {"a": endpoints("a").body}


def test_x25_no_name_comes_twice() -> None:
    (got,) = Sotw(cluster("a"), cluster("a", "other"), cluster("b")).ask(CLUSTER, ["*", "a"])
    assert got.count == 2


def test_x26_an_offer_that_changes_nothing_is_silence() -> None:
    content = (cluster("a"), endpoints("a", 1), listener("l"), routes("r"))
    client = Sotw(*content)
    client.start({CLUSTER: (), ENDPOINTS: ["a"], LISTENER: (), ROUTES: ["r"]})
    assert client.offer(*content) == []


def test_x27_versions_are_those_of_the_content_and_types_are_independent() -> None:
    one, two = Sotw(cluster("a"), listener("l")), Sotw(cluster("a"), listener("m"))
    assert one.ask(CLUSTER)[0].version == two.ask(CLUSTER)[0].version
    assert one.ask(LISTENER)[0].version != two.ask(LISTENER)[0].version


def test_x28_three_requests_without_waiting_end_in_the_final_state() -> None:
    client = Sotw(endpoints("a", 1), endpoints("b", 2), endpoints("c", 3))
    answers = [got for names in (["a"], ["a", "b"], ["a", "b", "c"]) for got in client.ask(ENDPOINTS, names)]
    assert 1 <= len(answers) <= 3
    assert answers[-1].names == ["a", "b", "c"]


def test_x31_the_aggregated_stream_needs_a_type() -> None:
    with pytest.raises(Malformed, match="type_url"):
        Sotw().ask("")


def test_x32_an_unknown_type_is_no_harm() -> None:
    client = Sotw(cluster("a"))
    assert client.ask("type.googleapis.com/nobody.knows.This") == []
    assert client.ask(CLUSTER)[0].names == ["a"]


def test_x33_a_stream_for_one_type_refuses_another_and_implies_its_own() -> None:
    client = Sotw(cluster("a"), implied_type=CLUSTER)
    assert client.ask("")[0].type_url == CLUSTER
    with pytest.raises(Malformed, match="Cluster only"):
        client.ask(ROUTES, ["r"])


def test_x34_types_of_the_second_api_version_are_ignored() -> None:
    assert Sotw(cluster("a")).ask("type.googleapis.com/envoy.api.v2.Cluster") == []


def test_x40_no_type_waits_for_the_acknowledgement_of_clusters_and_changes_coalesce() -> None:
    client = Sotw(cluster("a"), endpoints("a", 1), listener("l"), routes("r"))
    (clusters,) = client.ask(CLUSTER)
    for type_url, names in ((ENDPOINTS, ["a"]), (LISTENER, []), (ROUTES, ["r"])):
        (got,) = client.ask(type_url, names)
        client.ack(got, names)
    assert client.offer(cluster("a", "2"), endpoints("a", 1), listener("l"), routes("r")) == []
    sent = client.offer(cluster("a", "3"), endpoints("a", 2), listener("l", "2"), routes("r", "2"))
    assert [got.type_url for got in sent] == [ENDPOINTS, LISTENER, ROUTES]
    latest = client.ack(clusters)
    assert latest[0].bodies == {"a": cluster("a", "3").body}


def test_x41_a_cluster_goes_only_after_the_routes_that_left_it_are_acknowledged() -> None:
    client = Sotw(cluster("x"), endpoints("x", 1), listener("l"), routes("r", "to-x"))
    client.start({CLUSTER: (), ENDPOINTS: ["x"], LISTENER: (), ROUTES: ["r"]})
    clusters, warm, changed = client.offer(cluster("y"), endpoints("y", 2), listener("l"), routes("r", "to-y"))
    assert clusters.names == ["x", "y"]
    assert (warm.type_url, warm.names) == (ENDPOINTS, ["x", "y"])
    assert changed.type_url == ROUTES
    assert client.ack(clusters) == []
    (added,) = client.ack(warm, ["x", "y"])
    assert added.bodies["x"] == endpoints("x", 1).body
    assert client.ack(added, ["x", "y"]) == []
    (last,) = client.ack(changed, ["r"])
    assert last.type_url == CLUSTER
    assert last.names == ["y"]


def test_x41_a_cluster_goes_after_thirty_seconds_at_the_latest() -> None:
    client = Sotw(cluster("x"), listener("l"), routes("r", "to-x"))
    client.start({CLUSTER: (), LISTENER: (), ROUTES: ["r"]})
    client.ack(client.offer(cluster("y"), listener("l"), routes("r", "to-y"))[0])
    assert client.session.deadline(client.now) == 30.0
    assert client.wait(29.9) == []
    (got,) = client.wait(0.1)
    assert got.names == ["y"]
    assert client.session.deadline(client.now) is None


def test_x41_a_refused_route_keeps_its_cluster_for_the_thirty_seconds() -> None:
    client = Sotw(cluster("x"), routes("r", "to-x"))
    client.start({CLUSTER: (), ROUTES: ["r"]})
    clusters, changed = client.offer(cluster("y"), routes("r", "to-y"))
    client.ack(clusters)
    assert client.nack(changed, ["r"]) == []
    assert client.wait(30)[0].names == ["y"]


def test_x42_endpoints_asked_for_before_clusters_come_before_and_after_them() -> None:
    client = Sotw(cluster("a"), endpoints("a", 1))
    (early,) = client.ask(ENDPOINTS, ["a"])
    client.ack(early, ["a"])
    clusters, late = client.ask(CLUSTER)
    assert clusters.type_url == CLUSTER
    assert late.names == ["a"]


def test_x43_a_changed_cluster_brings_its_unchanged_endpoints() -> None:
    client = Sotw(cluster("a"), endpoints("a", 1))
    client.start({CLUSTER: (), ENDPOINTS: ["a"]})
    changed = client.offer(cluster("a", "2"), endpoints("a", 1))
    assert [(got.type_url, got.names) for got in changed] == [(CLUSTER, ["a"]), (ENDPOINTS, ["a"])]


def test_x44_a_request_that_repeats_an_acknowledgement_is_answered() -> None:
    client = Sotw(cluster("a"), endpoints("a", 1))
    client.start({CLUSTER: (), ENDPOINTS: ["a"]})
    last = client.last[ENDPOINTS]
    (again,) = client.ask(ENDPOINTS, ["a"], last.version, last.nonce)
    assert again.names == ["a"]
    assert again.version == last.version
    assert client.ack(again, ["a"]) == []


def test_x45_a_new_route_is_there_when_asked_for_and_the_old_one_stays() -> None:
    client = Sotw(listener("l", "r1"), routes("r1"))
    client.start({LISTENER: (), ROUTES: ["r1"]})
    (changed,) = client.offer(listener("l", "r2"), routes("r2"))
    assert changed.type_url == LISTENER
    last = client.last[ROUTES]
    (got,) = client.ask(ROUTES, ["r1", "r2"], last.version, last.nonce)
    assert got.names == ["r2"]


def _come_back(*items: Resource) -> Sotw:
    """A client that had the cluster x and routes to it, disconnected, and comes back to other resources."""
    before = Sotw(cluster("x"), endpoints("x", 1), listener("l"), routes("r", "to-x"))
    before.start({CLUSTER: (), ENDPOINTS: ["x"], LISTENER: (), ROUTES: ["r"]})
    return Sotw(*items, held=before.session.held())


def test_a_cluster_that_was_deleted_while_its_client_was_away_goes_after_the_routes_that_left_it() -> None:
    client = _come_back(cluster("y"), endpoints("y", 2), listener("l"), routes("r", "to-y"))
    clusters, *_ = client.ask(CLUSTER)
    assert clusters.names == ["x", "y"]
    assert client.ack(clusters) == []
    warm, *_ = client.ask(ENDPOINTS, ["x", "y"])
    assert warm.bodies["x"] == endpoints("x", 1).body
    client.ack(warm, ["x", "y"])
    (listeners,) = client.ask(LISTENER)
    client.ack(listeners)
    (changed,) = client.ask(ROUTES, ["r"])
    (last,) = client.ack(changed, ["r"])
    assert (last.type_url, last.names) == (CLUSTER, ["y"])


def test_a_client_that_asks_for_clusters_alone_keeps_those_for_a_second() -> None:
    client = _come_back(cluster("y"))
    (clusters,) = client.ask(CLUSTER)
    assert clusters.names == ["x", "y"]
    client.ack(clusters)
    assert client.wait(0.9) == []
    (last,) = client.wait(0.1)
    assert last.names == ["y"]


def test_a_cluster_that_is_still_wanted_is_what_it_is_now() -> None:
    client = _come_back(cluster("x", "new"))
    (clusters,) = client.ask(CLUSTER)
    assert clusters.bodies == {"x": cluster("x", "new").body}


def test_a_client_of_deltas_is_not_remembered() -> None:
    client = Delta(cluster("x"))
    client.start({CLUSTER: ["*"]})
    assert client.session.held() is None
