"""Istio's metrics of what proxies count, in the windows."""

import pytest
from msgspec.structs import replace

from tests.observe.telling import tell
from tests.observe.test_traffic import CALLS
from weft.model.cells import cell_of
from weft.model.series import End
from weft.model.standard_metrics import standard_labels
from weft.observe.promql.series import Matcher, Operator
from weft.observe.recorded import Recorder
from weft.observe.windows.amounts import COUNT, TOTAL, sketch_of
from weft.observe.windows.packing import HOUR
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

NOW = 1_700_000_000_000
SERVED = replace(CALLS, service="reviews.shop.svc.cluster.local")


def named(name: str) -> tuple[Matcher, ...]:
    return (Matcher(name="__name__", operator=Operator.EQUAL, value=name),)


def windows(*increments) -> Windows:
    made = Windows(None)
    made.tick(NOW - 5000)
    tell(made, *increments)
    made.tick(NOW + 5000)
    return made


def distribution(made: Windows, name: str) -> tuple[Sketch, float, float]:
    ((_, amount),) = made.sums(lambda labels: dict(labels)["__name__"] == name, NOW - 60_000, NOW + 5000)
    return sketch_of(amount), amount[COUNT], amount[TOTAL]


def test_labels_are_istios():
    assert dict(standard_labels(SERVED)) == {
        "reporter": "source",
        "source_workload": "web-v1",
        "source_workload_namespace": "shop",
        "source_principal": "spiffe://a/ns/shop/sa/web",
        "source_app": "web",
        "source_version": "v1",
        "source_cluster": "Kubernetes",
        "source_canonical_service": "web",
        "source_canonical_revision": "v1",
        "destination_workload": "reviews-v1",
        "destination_workload_namespace": "shop",
        "destination_principal": "spiffe://a/ns/shop/sa/reviews",
        "destination_app": "reviews",
        "destination_version": "v1",
        "destination_cluster": "Kubernetes",
        "destination_canonical_service": "reviews",
        "destination_canonical_revision": "v1",
        "destination_service": "reviews.shop.svc.cluster.local",
        "destination_service_name": "reviews",
        "destination_service_namespace": "shop",
        "request_protocol": "http",
        "response_code": "200",
        "grpc_response_status": "",
        "response_flags": "-",
        "connection_security_policy": "unknown",
    }


@pytest.mark.parametrize(("end", "policy"), [(CALLS.source, "mutual_tls"), (End(), "none")])
def test_the_callees_side_says_how_a_connection_was_secured(end: End, policy: str):
    labels = dict(standard_labels(replace(SERVED, reporter="destination", source=end)))
    assert labels["connection_security_policy"] == policy


def test_a_host_of_another_kind_is_its_own_name_and_connections_have_no_status():
    labels = dict(standard_labels(replace(SERVED, service="api.example.com", protocol="tcp", code="")))
    assert labels["destination_service_name"] == "api.example.com"
    assert "response_code" not in labels


def test_calls_and_bytes_are_counted():
    tcp = replace(SERVED, protocol="tcp", code="")
    made = windows((SERVED, "requests", 5, 5.0, ()), (tcp, "sent", 10, 10.0, ()), (SERVED, "unheard", 1, 1.0, ()))
    for name, amount in (("istio_requests_total", 5.0), ("istio_tcp_sent_bytes_total", 10.0)):
        ((_, found),) = made.increases(named(name), NOW - 60_000, NOW + 5000)
        assert found == amount


def test_times_and_sizes_are_in_the_cells_that_were_told():
    cells = ((cell_of(0.3), 1), (cell_of(42.5), 2))
    made = windows((SERVED, "duration", 3, 85.3, cells), (SERVED, "request_bytes", 2, 0.0, ((cell_of(0.0), 2),)))
    sketch, count, total = distribution(made, "istio_request_duration_milliseconds")
    assert (count, total, sketch.counts) == (3, 85.3, dict(cells))
    sketch, count, _ = distribution(made, "istio_request_bytes")
    assert (count, sketch.quantile(0.99)) == (2, 0.0)


def test_a_series_that_is_no_longer_kept_begins_anew():
    made = Windows(None, capacity=3)
    recorder = Recorder(made)
    places = [recorder.place(replace(SERVED, service=f"s{number}"), "requests") for number in range(6)]
    for place in places:
        recorder.count(place, 1)
    made.tick(NOW)
    made.tick(NOW + 2 * HOUR)
    made.flush()
    assert places[0].gone
    recorder.count(places[0], 7)
    made.tick(NOW + 2 * HOUR + 5000)
    found = made.increases(named("istio_requests_total"), NOW + HOUR, NOW + 3 * HOUR)
    assert [(dict(labels)["destination_service"], amount) for labels, amount in found] == [("s0", 7.0)]
