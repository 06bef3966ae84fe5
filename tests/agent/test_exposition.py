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
    """Two histograms of one series: times of 1 to 5 ms, of which the third digit is 0 or 1, and of 10 to 20 ms."""
    lines = []
    for cut, counts, total in (
        ('d="4",s="0",', (("1050", 1), ("2450", 2), ("4950", 4), ("5050", 5), ("9950", 6), ("+Inf", 6)), 9000),
        ('d="5",s="7",', (("10500", 0), ("19500", 3), ("+Inf", 3)), 50_000),
    ):
        labels = cut + LABELS.format(subset="")
        lines += [f'envoy_mesh_source_http_duration_bucket{{{labels},le="{bound}"}} {count}' for bound, count in counts]
        lines.append(f"envoy_mesh_source_http_duration_sum{{{labels}}} {total}")
        lines.append(f"envoy_mesh_source_http_duration_count{{{labels}}} {counts[-1][1]}")
    text = exposition("\n".join(lines), WEB)
    buckets = samples(text, "istio_request_duration_milliseconds_bucket")
    found = {re.search('le="(.*?)"', key)[1]: value for key, value in buckets.items()}
    assert list(found)[:6] == ["0.5", "1", "5", "10", "25", "50"]
    assert [found[bound] for bound in ("0.5", "1", "5", "10", "25", "1000", "+Inf")] == [0, 0, 4, 6, 9, 9, 9]
    assert list(samples(text, "istio_request_duration_milliseconds_sum").values()) == [59.0]
    assert list(samples(text, "istio_request_duration_milliseconds_count").values()) == [9.0]


def test_the_applications_metrics_follow():
    assert exposition("", WEB, "# TYPE own gauge\nown 2\n# EOF\n") == "# TYPE own gauge\nown 2\n"


def test_quotes_in_labels_stay_quoted():
    line = 'envoy_mesh_source_http_requests{peer="",principal="a\\"b\\\\c",service="x",code="200",grpc="",flags="-"} 1'
    text = exposition(line, WEB)
    assert 'destination_principal="a\\"b\\\\c"' in text


def test_a_line_that_is_not_understood_is_left_out():
    assert exposition("envoy_mesh_source_http_elsewhere{} 1\nenvoy_mesh_nonsense 2\n", WEB) == ""
