"""Istio's metrics of what proxies count, in the windows."""

import pytest
from msgspec.structs import replace

from tests.observe.test_traffic import CALLS
from weft.model.reporting import MICROSECOND_BOUNDS
from weft.model.series import End
from weft.model.standard_metrics import standard_labels
from weft.observe.promql.series import Matcher, Operator
from weft.observe.recorded import recorder
from weft.observe.windows.amounts import COUNT, TOTAL, sketch_of
from weft.observe.windows.sketch import Sketch, upper_of
from weft.observe.windows.store import Windows

NOW = 1_700_000_000_000
SERVED = replace(CALLS, service="reviews.shop.svc.cluster.local")


def named(name: str) -> tuple[Matcher, ...]:
    return (Matcher(name="__name__", operator=Operator.EQUAL, value=name),)


def windows(*increments) -> Windows:
    made = Windows(None)
    made.tick(NOW - 5000)
    recorder(made)(NOW / 1000, list(increments))
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


def test_times_are_milliseconds_and_as_fine_as_they_came():
    index = next(i for i, bound in enumerate(MICROSECOND_BOUNDS) if bound >= 43_000)
    beyond = len(MICROSECOND_BOUNDS)
    made = windows((SERVED, "duration", 3, 129_000.0, ((0, 1), (index, 1), (beyond, 1))))
    sketch, count, total = distribution(made, "istio_request_duration_milliseconds")
    assert (count, total) == (3, 129.0)
    assert sketch.quantile(0) <= 0.1
    assert sketch.quantile(0.6) == pytest.approx(42.5, rel=0.02)
    assert upper_of(max(sketch.counts)) > 3_600_000


def test_a_body_without_bytes_has_the_size_0():
    made = windows((SERVED, "request_bytes", 2, 0.0, ((0, 2),)))
    sketch, count, _ = distribution(made, "istio_request_bytes")
    assert (count, sketch.quantile(0.99)) == (2, 0.0)
    assert len(sketch.counts) == 1
