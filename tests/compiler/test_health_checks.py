"""Health checks of clusters: what Envoy takes, and where there are none."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.health_check_pb2 import HealthCheck as EnvoyCheck
from weft._pb.envoy.type.v3.http_pb2 import HTTP1, HTTP2
from weft.compiler.clusters import cluster_resource
from weft.compiler.resources import resources_of
from weft.model.health_check import GrpcCheck, HealthCheck, HttpCheck, TcpCheck
from weft.model.service import Protocol, Resolution
from weft.view.view import EndpointSet, MeshTls, Outbound, Target, Upstream, View

HTTP = HttpCheck(path="/healthz", headers=(("x-a", "100%"),))
TCP = TcpCheck(send="PING\r\n", receive=("PONG", "ä"))
CHECK = HealthCheck(name="shop/reviews", how=HTTP)
TARGET = Target(host="reviews.shop.svc.cluster.local", port=9080)
UPSTREAM = Upstream(
    target=TARGET, protocol=Protocol.HTTP, http2=True, tls=MeshTls(identities=("spiffe://a/b",), sni="c")
)


def cluster(check: HealthCheck | None, upstream: Upstream = UPSTREAM) -> Cluster:
    return Cluster.FromString(cluster_resource(replace(upstream, health_check=check), "cluster.local").body)


def check_of(how: HttpCheck | GrpcCheck | TcpCheck, upstream: Upstream = UPSTREAM) -> EnvoyCheck:
    (found,) = cluster(replace(CHECK, how=how), upstream).health_checks
    return found


def test_an_endpoint_that_is_taken_away_goes_at_once_whatever_its_check_says() -> None:
    assert cluster(CHECK).ignore_health_on_host_removal
    bare = cluster(None)
    assert not bare.health_checks
    assert not bare.ignore_health_on_host_removal


def test_a_check_asks_for_the_service_in_the_clusters_own_protocol() -> None:
    found = check_of(HTTP).http_health_check
    assert (found.host, found.codec_client_type) == (TARGET.host, HTTP2)
    assert [(one.start, one.end) for one in found.expected_statuses] == [(200, 300)]
    assert [one.header.value for one in found.request_headers_to_add] == ["100%%"]
    assert check_of(HTTP, replace(UPSTREAM, http2=False)).http_health_check.codec_client_type == HTTP1


def test_one_wrong_status_takes_nobody_out() -> None:
    assert [(one.start, one.end) for one in check_of(HTTP).http_health_check.retriable_statuses] == [(100, 600)]


def test_times_are_what_the_check_says_also_without_traffic() -> None:
    (found,) = cluster(replace(CHECK, interval=1_500, idle_interval=60_000, timeout=250, jitter=7)).health_checks
    times = (found.interval, found.no_traffic_interval, found.no_traffic_healthy_interval, found.timeout)
    assert [one.ToMilliseconds() for one in times] == [1_500, 1_500, 60_000, 250]
    assert found.interval_jitter_percent == 7


def test_bytes_are_written_in_hexadecimal() -> None:
    found = check_of(TCP).tcp_health_check
    assert found.send.text == "50494e470d0a"
    assert [one.text for one in found.receive] == ["504f4e47", "c3a4"]
    assert not check_of(TcpCheck()).tcp_health_check.HasField("send")


@pytest.mark.parametrize(
    "upstream",
    [
        replace(UPSTREAM, resolution=Resolution.NONE, tls=None),
        replace(UPSTREAM, direct=True, resolution=Resolution.NONE),
    ],
)
def test_where_connections_go_to_addresses_that_nobody_lists_none_is_checked(upstream: Upstream) -> None:
    assert not cluster(CHECK, upstream).health_checks


@pytest.mark.slow
def test_envoy_takes_every_kind_of_check(tmp_path: Path) -> None:
    ways = (
        (Protocol.HTTP, HTTP),
        (Protocol.GRPC, GrpcCheck(service="a.B", authority="b")),
        (Protocol.GRPC, GrpcCheck()),
        (Protocol.TCP, TCP),
        (Protocol.TCP, TcpCheck()),
        (Protocol.TCP, HTTP),
    )
    upstreams = tuple(
        replace(
            UPSTREAM,
            target=replace(TARGET, port=9000 + index),
            protocol=protocol,
            http2=protocol.is_http,
            health_check=replace(CHECK, how=how),
        )
        for index, (protocol, how) in enumerate(ways)
    )
    endpoints = tuple(EndpointSet(target=one.target) for one in upstreams)
    view = View(trust_domain="cluster.local", outbound=Outbound(upstreams=upstreams, endpoints=endpoints))
    check_with_envoy(resources_of(view), tmp_path)
