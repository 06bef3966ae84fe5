"""Traffic by edge from Istio's metrics: what had certificates on both sides, each call once."""

from pathlib import Path

from msgspec.structs import replace

from tests.observe.test_recorded import NOW, SERVED, windows
from weft.kit.value import Labels, labels_of
from weft.model.series import End
from weft.observe.coverage import EdgeTraffic, edges_of, traffic_by_edge
from weft.observe.windows.store import Windows


def labels(source: str, destination: str, reporter: str = "destination", **more: str) -> Labels:
    told = {
        "reporter": reporter,
        "source_workload": source,
        "source_workload_namespace": "shop",
        "destination_workload": destination,
        "destination_workload_namespace": "shop",
    }
    return labels_of(told | more)


MUTUAL, PLAIN = {"connection_security_policy": "mutual_tls"}, {"connection_security_policy": "none"}


def edge(source: str, destination: str, **counts: int) -> EdgeTraffic:
    return EdgeTraffic(source=source, destination=destination, **counts)


def test_calls_and_connections_of_an_edge_are_added() -> None:
    found = edges_of(
        [(labels("web", "api", **MUTUAL), 90.0), (labels("web", "api", response_code="500", **PLAIN), 10.0)],
        [(labels("web", "api", **MUTUAL), 5.0), (labels("api", "db", **PLAIN), 3.0)],
    )
    assert found == (
        edge("api.shop", "db.shop", connections=3),
        edge("web.shop", "api.shop", requests=100, connections=5, mtls=95),
    )


def test_what_both_sides_counted_is_counted_once_as_the_callee_says() -> None:
    caller = labels("web", "api", "source", connection_security_policy="unknown", destination_principal="spiffe://x")
    (found,) = edges_of([(caller, 101.0), (labels("web", "api", **MUTUAL), 100.0)], [])
    assert (found.requests, found.mtls) == (100, 100)


def test_a_caller_knows_by_the_certificate_it_was_shown() -> None:
    proved = labels("web", "api", "source", connection_security_policy="unknown", destination_principal="spiffe://x")
    open_ = labels("web", "old", "source", connection_security_policy="unknown", destination_principal="unknown")
    assert edges_of([(proved, 2.0), (open_, 3.0)], []) == (
        edge("web.shop", "api.shop", requests=2, mtls=2),
        edge("web.shop", "old.shop", requests=3),
    )


def test_who_is_unknown_is_unknown_and_never_proved() -> None:
    (found,) = edges_of([(labels("unknown", "api", **PLAIN), 4.0)], [])
    assert found == edge("unknown", "api.shop", requests=4)
    outward = labels("web", "unknown", "source", destination_service="example.com")
    assert edges_of([(outward, 1.0)], []) == (edge("web.shop", "example.com", requests=1),)


def test_what_counts_for_others_or_nothing_is_no_edge() -> None:
    assert edges_of([(labels_of({"overflow": "true"}), 9.0), (labels("a", "b", **MUTUAL), 0.0)], []) == ()


def test_a_period_is_read_from_the_windows(tmp_path: Path) -> None:
    windows = Windows(tmp_path / "windows.db")
    minute = 60_000
    for at, amount in ((10, 5.0), (30, 7.0)):
        windows.tick(at * minute - 5_000)
        named = labels_of(dict(labels("web", "api", **MUTUAL)) | {"__name__": "istio_requests_total"})
        windows.count(named, amount)
        windows.tick(at * minute)
    windows.flush()
    assert traffic_by_edge(windows, 20 * minute, 40 * minute) == (edge("web.shop", "api.shop", requests=7, mtls=7),)
    assert sum(one.requests for one in traffic_by_edge(windows, 0, 40 * minute)) == 12
    windows.close()


def test_what_proxies_count_is_read_as_they_write_it() -> None:
    callee = replace(SERVED, reporter="destination")
    plain = replace(callee, source=End(peer=SERVED.source.peer))
    tcp = replace(callee, protocol="tcp", code="")
    made = windows(
        (SERVED, "requests", 10, 10.0, ()),
        (callee, "requests", 9, 9.0, ()),
        (plain, "requests", 1, 1.0, ()),
        (tcp, "opened", 2, 2.0, ()),
    )
    found = traffic_by_edge(made, NOW - 60_000, NOW + 5000)
    assert found == (edge("web-v1.shop", "reviews-v1.shop", requests=10, connections=2, mtls=11),)
