"""What Prometheus is given by a sidecar: Istio's names and labels, sums where Envoy tells more apart."""

import re

from weft.agent.exposition import exposition
from weft.model.reporting import peer_of
from weft.model.series import End

WEB = End(peer=peer_of("web-1", "shop", (("app", "web"), ("version", "v1"))), principal="spiffe://a/ns/shop/sa/web")
LABELS = (
    'peer="reviews-v1;shop;reviews;v1;Kubernetes",principal="spiffe://a/ns/shop/sa/reviews",'
    'service="outbound|9080|{subset}|reviews.shop.svc.cluster.local",code="200",grpc="",flags="-"'
)


def samples(text: str, name: str) -> dict[str, float]:
    """Values by the part of the labels that a test looks at."""
    found = {}
    for line in text.splitlines():
        if line.startswith(f"{name}{{"):
            labels, value = line.removeprefix(name).rsplit(" ", 1)
            found[labels] = float(value)
    return found


def test_calls_have_istios_name_and_labels_and_subsets_are_one_series():
    lines = [f"envoy_mesh_source_http_requests{{{LABELS.format(subset=name)}}} {n}" for name, n in (("", 3), ("v1", 4))]
    text = exposition("# TYPE envoy_mesh_source_http_requests counter\n" + "\n".join(lines), WEB)
    ((labels, value),) = samples(text, "istio_requests_total").items()
    assert value == 7
    for label in ('source_workload="web-v1"', 'destination_service_name="reviews"', 'response_code="200"'):
        assert label in labels
    assert "# TYPE istio_requests_total counter" in text
    assert "envoy_mesh" not in text


def test_times_are_milliseconds_at_istios_bounds():
    labels = LABELS.format(subset="")
    lines = [
        f'envoy_mesh_source_http_duration_bucket{{{labels},le="{bound}"}} {count}'
        for bound, count in (("400", 0), ("500", 1), ("1000", 2), ("1100", 3), ("5000", 4), ("+Inf", 5))
    ]
    lines += [
        f"envoy_mesh_source_http_duration_sum{{{labels}}} 9000",
        f"envoy_mesh_source_http_duration_count{{{labels}}} 5",
    ]
    text = exposition("\n".join(lines), WEB)
    buckets = samples(text, "istio_request_duration_milliseconds_bucket")
    assert {re.search('le="(.*?)"', key)[1]: value for key, value in buckets.items()} == {
        "0.5": 1, "1": 2, "5": 4, "+Inf": 5,
    }  # fmt: skip
    assert list(samples(text, "istio_request_duration_milliseconds_sum").values()) == [9.0]
    assert list(samples(text, "istio_request_duration_milliseconds_count").values()) == [5.0]


def test_the_applications_metrics_follow():
    assert exposition("", WEB, "# TYPE own gauge\nown 2\n# EOF\n") == "# TYPE own gauge\nown 2\n"


def test_quotes_in_labels_stay_quoted():
    line = 'envoy_mesh_source_http_requests{peer="",principal="a\\"b\\\\c",service="x",code="200",grpc="",flags="-"} 1'
    text = exposition(line, WEB)
    assert 'destination_principal="a\\"b\\\\c"' in text


def test_a_line_that_is_not_understood_is_left_out():
    assert exposition("envoy_mesh_source_http_elsewhere{} 1\nenvoy_mesh_nonsense 2\n", WEB) == ""
