"""What proxies say of a statistic, spelled out; a caller is believed as far as its certificate goes."""

import pytest

from tests.observe import telling
from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft.model.cells import cell_of
from weft.model.cuts import CELLS, bounds_of
from weft.model.identity import Identity
from weft.model.reporting import NOBODY, Peer, parse_peer, peer_of
from weft.model.series import End, series_of
from weft.model.standard_metrics import standard_labels
from weft.observe.access_logs import Malformed
from weft.observe.metrics import Metrics

WEB = End(peer=peer_of("web-1", "shop", (("app", "web"), ("version", "v1"))), principal="spiffe://a/ns/shop/sa/web")
IDENTITY = Identity(trust_domain="a", namespace="shop", account="web")
LABELS = (
    ("peer", "reviews-v1;shop;reviews;v1;Kubernetes"),
    ("principal", "spiffe://a/ns/shop/sa/reviews"),
    ("service", "outbound|9080|v1|reviews.shop.svc.cluster.local"),
    ("code", "200"),
    ("grpc", ""),
    ("flags", "-"),
)


def test_a_statistic_of_the_caller_names_both_sides():
    series, what = series_of(WEB, "mesh.source.http.requests", LABELS)
    assert (what, series.reporter, series.protocol) == ("requests", "source", "http")
    assert (series.source, series.destination.peer.workload) == (WEB, "reviews-v1")
    assert series.service == "reviews.shop.svc.cluster.local"
    assert series.security == "mutual_tls"


@pytest.mark.parametrize(
    ("principal", "believed"),
    [
        ("spiffe://a/ns/shop/sa/reviews", ("reviews-v1", "shop")),
        ("spiffe://a/ns/bank/sa/thief", ("unknown", "bank")),
        ("spiffe://a/ns/shop/sa/x,spiffe://a/ns/bank/sa/y", ("unknown", "unknown")),
        ("-", ("unknown", "unknown")),
        ("", ("unknown", "unknown")),
    ],
)
def test_a_caller_is_of_the_namespace_of_its_certificate(principal: str, believed: tuple[str, str]):
    labels = tuple((key, principal if key == "principal" else value) for key, value in LABELS)
    series, _ = series_of(WEB, "mesh.destination.http.requests", labels)
    assert (series.source.peer.workload, series.source.peer.namespace) == believed


@pytest.mark.parametrize(
    ("named", "route"), [("#canary", "canary"), ("#a#b", "a#b"), ("#-", ""), ("#", ""), ("", ""), ("#allow_any", "")]
)
def test_a_caller_says_the_rule_by_which_it_sent_a_call(named: str, route: str):
    labels = tuple((key, f"{value}{named}" if key == "service" else value) for key, value in LABELS)
    series, _ = series_of(WEB, "mesh.source.http.requests", labels)
    assert (series.service, series.route) == ("reviews.shop.svc.cluster.local", route)
    said = dict(standard_labels(series))
    assert said.get("route", "") == route
    assert ("route" in said) == bool(route)


def test_a_call_that_no_cluster_was_chosen_for_has_a_route_nevertheless():
    labels = tuple((key, "-#to-https" if key == "service" else value) for key, value in LABELS)
    series, _ = series_of(WEB, "mesh.source.http.requests", labels)
    assert (series.service, series.route) == ("unknown", "to-https")


def test_a_call_with_a_status_of_grpc_is_one_of_grpc():
    labels = tuple((key, "14" if key == "grpc" else value) for key, value in LABELS)
    series, _ = series_of(WEB, "mesh.source.http.requests", labels)
    assert (series.protocol, series.grpc, series.failed) == ("grpc", "14", True)


@pytest.mark.parametrize("name", ["mesh.source.http", "mesh.elsewhere.http.requests", "http.a.b.c", "mesh"])
def test_other_statistics_are_passed_over(name: str):
    assert series_of(WEB, name, LABELS) is None


@pytest.mark.parametrize("text", ["", "-", "a;b;c", "a;b;c;d;", "a;b;c;d;e;f", f"{'x' * 300};a;b;c;d"])
def test_what_is_no_workload_is_nobody(text: str):
    assert parse_peer(text) == NOBODY


def test_a_workload_stands_for_all_its_instances():
    labels = (("app", "ratings"), ("version", "v1"))
    assert peer_of("ratings-1", "shop", labels) == peer_of("ratings-2", "shop", labels)
    assert peer_of("x", "shop", (*labels, ("service.istio.io/workload-name", "own"))).workload == "own"
    assert peer_of("lonely", "shop", ()) == Peer(
        workload="lonely", namespace="shop", service="lonely", revision="latest", cluster="Kubernetes"
    )
    assert parse_peer(peer_of("a;b", "shop", ()).text).workload == "a_b"


def message(node: str = "web-1.shop", said: str = "", **labels: str) -> StreamMetricsMessage:
    made = StreamMetricsMessage()
    made.identifier.node.id = node
    if said:
        made.identifier.node.metadata.update({"weft": said})
    counter = made.envoy_metrics.add(name="mesh.source.http.requests", type=0)
    histogram = made.envoy_metrics.add(name="mesh.source.http.duration", type=4)
    made.envoy_metrics.add(name="cluster.upstream_rq_total", type=0).metric.add().counter.value = 5
    for family in (counter, histogram):
        metric = family.metric.add()
        cut = {"d": "5", "s": "3"} if family is histogram else {}
        for name, value in (cut | dict(LABELS) | labels).items():
            metric.label.add(name=name, value=value)
    counter.metric[0].counter.value = 3
    times = histogram.metric[0].histogram
    times.sample_count, times.sample_sum = 4, 99.0
    for index, bound in enumerate(bounds_of("5", "3")):
        times.bucket.add(upper_bound=bound, cumulative_count=0 if index < 4 else 1 if index < 20 else 4)
    return made


class Heard:
    """A stream of a proxy, and what was handed on."""

    def __init__(self) -> None:
        keeper = telling.Heard()
        self.found = keeper.all
        self.metrics = Metrics(keeper)
        self._receive = self.metrics.sink().opened(IDENTITY)

    def receive(self, content: bytes) -> int:
        """In how many parts it was read."""
        return sum(1 for _ in self._receive(content) or ()) + 1


def test_a_report_is_read_as_increments():
    heard = Heard()
    heard.receive(message(said='{"workload":"web-1","labels":[["app","web"],["version","v1"]]}').SerializeToString())
    (requests, times) = heard.found
    assert requests[0].source == End(peer=WEB.peer, principal=IDENTITY.uri)
    assert requests[1:] == ("requests", 3, 3.0, ())
    assert times[1:] == (
        "duration",
        4,
        pytest.approx(14.3 + 3 * 30.7, rel=0.005),
        ((cell_of(14.3), 1), (cell_of(30.7), 3)),
    )
    assert (heard.metrics.messages, heard.metrics.increments) == (1, 2)


@pytest.mark.parametrize(("digits", "slice_"), [("5", "0"), ("4", "3"), ("8", "9"), ("0", "0")])
@pytest.mark.parametrize("dense", [False, True])
def test_every_bucket_of_a_histogram_is_a_cell(digits: str, slice_: str, dense: bool):
    bounds, sent = bounds_of(digits, slice_), message(d=digits, s=slice_)
    times = sent.envoy_metrics[1].metric[0].histogram
    del times.bucket[:]
    each = 100 if dense else 1
    filled = range(len(bounds)) if dense else (1, len(bounds) - 1)
    for index, bound in enumerate(bounds):
        times.bucket.add(upper_bound=bound, cumulative_count=each * sum(1 for one in filled if one <= index))
    times.sample_count = each * len(filled) + 5
    heard = Heard()
    heard.receive(sent.SerializeToString())
    *found, beyond = heard.found[-1][4]
    assert found == [(CELLS[digits, slice_][one], each) for one in filled]
    assert beyond == (CELLS[digits, slice_][-1], 5)


def test_a_long_report_is_read_in_parts():
    sent = message()
    for _ in range(2000):
        sent.envoy_metrics.add().CopyFrom(sent.envoy_metrics[0])
    heard = Heard()
    assert heard.receive(sent.SerializeToString()) > 10
    assert sum(one[2] for one in heard.found if one[1] == "requests") == 3 * 2001


def test_what_proxies_make_up_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("weft.observe.metrics._MOST_PLACES", 100)
    heard = Heard()
    for number in range(300):
        heard.receive(message(code=str(number)).SerializeToString())
    assert len(heard.metrics._places) <= 100
    assert sum(one[2] for one in heard.found if one[1] == "requests") == 900


def test_a_proxy_reports_for_its_own_namespace_alone():
    with pytest.raises(Malformed, match="not of the namespace"):
        Heard().receive(message(node="web-1.bank").SerializeToString())


@pytest.mark.parametrize("said", ["{", "[]", '{"labels": 5}', '{"workload": 5}'])
def test_a_node_that_cannot_be_read_ends_the_stream(said: str):
    with pytest.raises(Malformed, match="metadata is malformed"):
        Heard().receive(message(said=said).SerializeToString())


def test_what_is_no_message_ends_the_stream():
    with pytest.raises(Malformed, match="no message of metrics"):
        Heard().receive(b"\xff")
