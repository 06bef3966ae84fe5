"""The rows of the conformance table that need a socket: X29-X39 and X48-X55, and the basic flows through real TLS.

X50 (the database is away: the last good mesh is served) is the pipeline's. X54's and X55's times are shortened.
"""

import asyncio
import gzip
import time

import grpc
import pytest

from tests.xds.certificates import Root
from tests.xds.rig import NODE, WEB, Stream, delta, rig, sotw, until
from tests.xds.script import cluster, endpoints, listener, resources, routes
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES
from weft.xds.errors import NotReady, Refused
from weft.xds.server import MAX_MESSAGE
from weft.xds.status import SyncState
from weft.xds.stream import Limits

pytestmark = pytest.mark.asyncio

CONTENT = resources(cluster("a"), endpoints("a", 1), listener("l"), routes("r"))


async def test_x01_x14_a_state_of_the_world_client_gets_everything_and_then_changes() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = sotw(channel)
        for type_url, names in ((CLUSTER, []), (ENDPOINTS, ["a"]), (LISTENER, []), (ROUTES, ["r"])):
            await stream.send(type_url=type_url, resource_names=names)
            got = await stream.next()
            assert got.type_url == type_url
            await stream.ack(got, names)
        await until(lambda: made.fleet.proxies()[0].synced)
        made.latest.set(resources(cluster("a"), endpoints("a", 2), listener("l"), routes("r")))
        changed = await stream.next()
        assert changed.bodies == {"a": endpoints("a", 2).body}


async def test_a_client_that_gets_everything_comes_back_to_its_clusters_until_it_has_the_routes() -> None:
    async with rig(CONTENT) as made:
        async with made.client() as channel:
            stream = sotw(channel)
            await stream.send(type_url=CLUSTER)
            await stream.ack(await stream.next())
        await until(lambda: made.fleet.streams() == 0)
        made.latest.set(resources(cluster("b"), listener("l"), routes("r", "to-b")))
        async with made.client() as channel:
            stream = sotw(channel)
            await stream.send(type_url=CLUSTER)
            assert (await stream.next()).names == ["a", "b"]


async def test_x56_x61_a_delta_client_gets_changes_and_nothing_again_after_a_restart() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        first = await stream.next()
        await stream.ack(first)
        made.latest.set(resources(cluster("a"), cluster("b"), listener("l")))
        second = await stream.next()
        assert second.names == ["b"]
    async with rig(CONTENT) as restarted, restarted.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER, initial_resource_versions=first.versions)
        assert await stream.silent()
        assert restarted.fleet.proxies()[0].types[0].state is SyncState.SYNCED


async def test_the_fleet_knows_who_is_connected_and_what_was_refused() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=LISTENER)
        got = await stream.next()
        await stream.send(
            type_url=LISTENER, response_nonce=got.nonce, error_detail={"code": 3, "message": "no such filter"}
        )
        await until(lambda: made.fleet.proxies()[0].types[0].state is SyncState.NACK)
        (proxy,) = made.fleet.proxies()
        assert (proxy.name, proxy.identity.uri) == (NODE, WEB)
        assert proxy.types[0].error == "no such filter"
        assert made.fleet.resources(NODE) == CONTENT
        stream.call.cancel()
        await until(lambda: made.fleet.proxies() == ())
        again = delta(channel)
        await again.send(type_url=LISTENER, initial_resource_versions=got.versions)
        assert (await again.next()).names == ["l"]


@pytest.mark.parametrize("open_stream", [sotw, delta])
async def test_x29_a_first_request_without_a_node_ends_the_stream(open_stream: type) -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = open_stream(channel, node="")
        await stream.send(type_url=CLUSTER)
        assert await stream.end() is grpc.StatusCode.INVALID_ARGUMENT
        assert made.seen == []


async def test_x30_a_later_node_changes_nothing() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = sotw(channel)
        await stream.send(type_url=CLUSTER)
        await stream.next()
        await stream.send(type_url=LISTENER, node={"id": "other.shop"})
        await stream.next()
        assert [proxy.name for proxy in made.fleet.proxies()] == [NODE]
        assert len(made.seen) == 1


async def test_x31_x33_x34_wrong_types_and_services_are_refused() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        empty = sotw(channel)
        await empty.send()
        assert await empty.end() is grpc.StatusCode.INVALID_ARGUMENT
        other = Stream(channel, "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters")
        await other.send(type_url=ROUTES)
        assert await other.end() is grpc.StatusCode.INVALID_ARGUMENT
        old = Stream(channel, "/envoy.service.discovery.v2.AggregatedDiscoveryService/StreamAggregatedResources")
        assert await old.end() is grpc.StatusCode.UNIMPLEMENTED


async def test_x33_x35_types_on_streams_of_their_own_are_independent() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        clusters = Stream(channel, "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters")
        assignments = Stream(channel, "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints")
        await clusters.send()
        await assignments.send(resource_names_subscribe=["a"])
        assert (await clusters.next()).names == ["a"]
        assert (await assignments.next()).names == ["a"]
        (proxy,) = made.fleet.proxies()
        assert {item.type_url for item in proxy.types} == {CLUSTER, ENDPOINTS}
        assert proxy.streams == 2


async def test_x36_closing_the_older_of_two_streams_does_not_disturb_the_newer() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        older, newer = delta(channel), delta(channel)
        for stream in (older, newer):
            await stream.send(type_url=CLUSTER)
            await stream.ack(await stream.next())
        older.call.cancel()
        await until(lambda: made.fleet.streams() == 1)
        made.latest.set(resources(cluster("a", "2")))
        assert (await newer.next()).names == ["a"]


async def test_x37_a_half_closed_stream_is_ended() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        await stream.next()
        await stream.call.done_writing()
        assert await stream.end(1) is grpc.StatusCode.OK
        await until(lambda: made.fleet.streams() == 0, 1)


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.slow)])
async def test_x38_streams_cut_during_pushes_leave_nothing_behind(times: int) -> None:
    async with rig(CONTENT, stream_burst=times) as made, made.client() as channel:
        before = len(asyncio.all_tasks())
        for number in range(times):
            stream = delta(channel)
            await stream.send(type_url=CLUSTER)
            made.latest.set(resources(cluster("a", str(number))))
            if number % 2:
                await stream.next()
            stream.call.cancel()
        await until(lambda: made.fleet.streams() == 0)
        await until(lambda: len(asyncio.all_tasks()) <= before + 1)


async def test_x39_a_client_that_does_not_read_is_closed_and_others_are_not_disturbed() -> None:
    big = "x" * 900_000
    async with rig(CONTENT, limits=Limits(write=1.0)) as made, made.client() as quick:
        small_window = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536))
        async with made.client(options=small_window) as slow:
            stalled, reading = delta(slow), delta(quick, node="web-2.shop")
            for stream in (stalled, reading):
                await stream.send(type_url=CLUSTER)
                await stream.ack(await stream.next())
            await stalled.send(type_url=LISTENER)
            for number in range(40):
                made.latest.set(resources(cluster("a", f"{number}{big}"), listener("l", f"{number}{big}")))
                got = await reading.next()
                await reading.ack(got)
                await stalled.send(type_url=CLUSTER, resource_names_subscribe=["a"])
            await until(lambda: [proxy.name for proxy in made.fleet.proxies()] == ["web-2.shop"])
            with pytest.raises(grpc.aio.AioRpcError, match="the client does not read"):
                await stalled.drain()


async def test_x48_a_certificate_of_another_root_gets_no_connection() -> None:
    async with rig(CONTENT) as made, made.client(root=Root()) as channel:
        stream = delta(channel)
        assert await stream.end() is grpc.StatusCode.UNAVAILABLE
        assert made.seen == []


@pytest.mark.parametrize(
    "uris",
    [
        ("spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/admin"),
        ("https://cluster.local/ns/shop/sa/web",),
        ("spiffe://cluster.local/ns/shop/sa/web/extra",),
    ],
)
async def test_x48_a_certificate_that_names_no_single_workload_is_not_believed(uris: tuple[str, ...]) -> None:
    async with rig(CONTENT) as made, made.client(*uris) as channel:
        assert await delta(channel).end() is grpc.StatusCode.UNAUTHENTICATED
        assert made.seen == []


async def test_x48_no_certificate_gets_no_connection() -> None:
    async with rig(CONTENT) as made:
        credentials = grpc.ssl_channel_credentials(made.root.pem)
        options = (("grpc.ssl_target_name_override", "localhost"),)
        async with grpc.aio.secure_channel(f"127.0.0.1:{made.server.port}", credentials, options) as channel:
            assert await delta(channel).end() is grpc.StatusCode.UNAVAILABLE
        assert made.seen == []


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refused("not your node"), grpc.StatusCode.PERMISSION_DENIED),
        (NotReady("nothing is loaded yet"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_x48_x49_who_may_not_or_not_yet_is_told_at_once(refusal: Exception, code: grpc.StatusCode) -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        made.refusal = refusal
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        assert await stream.end(1) is code
        assert await stream.call.details() == str(refusal)


async def test_x49_a_server_that_has_nothing_yet_answers_unavailable() -> None:
    async with rig(limits=Limits(first_offer=0.2)) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        assert await stream.end(2) is grpc.StatusCode.UNAVAILABLE


async def test_x51_a_stopping_server_ends_streams_without_an_empty_push() -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        await stream.ack(await stream.next())
        begin = time.monotonic()
        await made.server.stop()
        assert time.monotonic() - begin < 1.5
        with pytest.raises(grpc.aio.AioRpcError, match="the control plane is stopping"):
            await stream.call.read()
        assert await stream.end() is grpc.StatusCode.UNAVAILABLE
        assert made.fleet.streams() == 0


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_x52_x53_a_request_that_is_too_large_even_unpacked_is_refused(compression: grpc.Compression) -> None:
    async with rig(CONTENT) as made, made.client() as channel:
        method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
        call = channel.stream_stream(method)(compression=compression)
        assert len(gzip.compress(bytes(MAX_MESSAGE + 1))) < 10_000
        await call.write(bytes(MAX_MESSAGE + 1))
        async with asyncio.timeout(5):
            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        assert (await stream.next()).names == ["a"]


async def test_x54_a_storm_of_streams_is_served_in_order_and_the_rest_told_to_come_back() -> None:
    async with rig(CONTENT, stream_rate=20.0, stream_burst=10) as made, made.client() as channel:
        settled = delta(channel)
        await settled.send(type_url=CLUSTER)
        await settled.ack(await settled.next())
        begun = time.monotonic()
        storm = [delta(channel) for _ in range(60)]
        for stream in storm:
            await stream.send(type_url=CLUSTER)
        answers = await asyncio.gather(*(stream.call.read() for stream in storm), return_exceptions=True)
        refused = [
            stream for stream, answer in zip(storm, answers, strict=True) if isinstance(answer, grpc.aio.AioRpcError)
        ]
        most = 11 + 20 * (time.monotonic() - begun)
        assert 20 <= len(storm) - len(refused) <= most, "those that get a turn within a second, and no more"
        assert {await stream.end() for stream in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        made.latest.set(resources(cluster("a", "2")))
        assert (await settled.next()).names == ["a"]


async def test_x55_an_old_connection_is_closed_and_the_client_resumes_without_a_change() -> None:
    async with rig(CONTENT, connection_age=1.0, connection_grace=0.5) as made, made.client() as channel:
        stream = delta(channel)
        await stream.send(type_url=CLUSTER)
        got = await stream.next()
        await stream.ack(got)
        assert await stream.end(5) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        again = delta(channel)
        await again.send(type_url=CLUSTER, initial_resource_versions=got.versions)
        assert await again.silent()


async def test_a_renewed_server_certificate_and_a_changed_root_count_from_the_next_handshake() -> None:
    async with rig(CONTENT) as made:
        other = Root()
        async with made.client() as channel:
            stream = delta(channel)
            await stream.send(type_url=CLUSTER)
            await stream.next()
        before, made.root = made.root, other
        made.material = other.server()
        async with made.client() as channel:
            stream = delta(channel)
            await stream.send(type_url=CLUSTER)
            assert (await stream.next()).names == ["a"]
        async with made.client(root=before) as channel:
            assert await delta(channel).end() is grpc.StatusCode.UNAVAILABLE


async def test_an_address_that_is_taken_is_an_os_error() -> None:
    async with rig(CONTENT) as made:
        with pytest.raises(OSError, match="cannot listen"):
            async with rig(CONTENT, port=made.server.port):
                pass
