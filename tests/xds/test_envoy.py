"""A real Envoy against the server: what it is sent, what it answers, and that a restart sends it nothing again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from tests.xds.certificates import Root
from tests.xds.rig import NODE, WEB, Rig, until
from tests.xds.script import resources
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.http.cors.v3 import cors_pb2
from weft._pb.envoy.extensions.filters.http.router.v3 import router_pb2
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, resource
from weft.kit.envoy_binary import EnvoyBinary
from weft.xds.server import XdsConfig, serve_xds
from weft.xds.status import SyncState

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
assert all((cors_pb2, router_pb2, http_connection_manager_pb2)), "ParseDict finds the types of an Any when imported"

TYPE = "type.googleapis.com/envoy.extensions."
ADS: dict[str, Any] = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
KINDS: dict[str, type[Message]] = {
    CLUSTER: Cluster,
    ENDPOINTS: ClusterLoadAssignment,
    LISTENER: Listener,
    ROUTES: RouteConfiguration,
}


def made(type_url: str, name: str, content: dict[str, Any]) -> Resource:
    return resource(type_url, name, ParseDict(content, KINDS[type_url]()).SerializeToString(deterministic=True))


def cluster(name: str, timeout: str = "1s") -> Resource:
    content = {"name": name, "type": "EDS", "connect_timeout": timeout, "eds_cluster_config": {"eds_config": ADS}}
    return made(CLUSTER, name, content)


def endpoints(name: str, port: int) -> Resource:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return made(
        ENDPOINTS,
        name,
        {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    )


def routes(name: str, target: str) -> Resource:
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": target}}]}
    return made(ROUTES, name, {"name": name, "virtual_hosts": [host]})


def listener(name: str, port: int, route: str, filter_name: str = "http.router.v3.Router") -> Resource:
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "rds": {"route_config_name": route, "config_source": ADS},
        "http_filters": [{"name": "router", "typed_config": {"@type": TYPE + "filters." + filter_name}}],
    }
    return made(
        LISTENER,
        name,
        {
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        },
    )


def bootstrap(folder: Path, root: Root, xds_port: int, api_type: str) -> Path:
    key, chain = root.workload(WEB)
    for name, pem in (("key.pem", key), ("chain.pem", chain), ("root.pem", root.pem)):
        (folder / name).write_bytes(pem)
    tls = {
        "@type": TYPE + "transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": str(folder / "chain.pem")},
                    "private_key": {"filename": str(folder / "key.pem")},
                }
            ],
            "validation_context": {"trusted_ca": {"filename": str(folder / "root.pem")}},
        },
    }
    back_off = {"retry_back_off": {"base_interval": "0.2s", "max_interval": "1s"}}
    service = {"envoy_grpc": {"cluster_name": "xds", "retry_policy": back_off}}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": xds_port}}
    protocol = {
        "@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    config = {
        "node": {"id": NODE, "cluster": "web"},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock"), "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": api_type,
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [service],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "xds",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
                    },
                    "transport_socket": {"name": "tls", "typed_config": tls},
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol
                    },
                }
            ]
        },
    }
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def running(envoy: EnvoyBinary, config: Path) -> AsyncIterator[None]:
    log = (config.parent / "envoy.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(envoy.path), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning",
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        log.close()


@asynccontextmanager
async def application(port: int, name: str) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"", b"\r\n"):
            pass
        body = name.encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def serving(rig: Rig, port: int) -> AsyncIterator[None]:
    await served(rig, port)
    try:
        yield
    finally:
        await rig.server.stop()


async def served(rig: Rig, port: int) -> None:
    rig.server = await serve_xds(
        config=XdsConfig(port=port), subscribe=rig.subscribe, fleet=rig.fleet, tls=lambda: rig.material
    )


def in_sync(rig: Rig) -> bool:
    return [(len(proxy.types), proxy.synced) for proxy in rig.fleet.proxies()] == [(4, True)]


async def said(port: int) -> str:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")
    return answer.text if answer.status_code == 200 else str(answer.status_code)


@pytest.mark.parametrize("api_type", ["DELTA_GRPC", "GRPC"])
async def test_an_envoy_follows_changes_refuses_what_is_wrong_and_is_sent_nothing_again_after_a_restart(
    api_type: str, envoy: EnvoyBinary, free_port: Callable[[], int], tmp_path: Path
) -> None:
    xds, inbound, one, two = free_port(), free_port(), free_port(), free_port()
    rig = Rig(Root())
    listening = listener("l", inbound, "r")
    rig.latest.set(resources(cluster("a"), endpoints("a", one), listening, routes("r", "a")))
    config = bootstrap(tmp_path, rig.root, xds, api_type)
    async with application(one, "one"), application(two, "two"), serving(rig, xds), running(envoy, config):
        await until(lambda: in_sync(rig), 10)
        assert await said(inbound) == "one"

        await rig.server.stop()
        assert await said(inbound) == "one"
        await served(rig, xds)
        await until(lambda: in_sync(rig), 10)
        if api_type == "DELTA_GRPC":
            assert [item.sent_nonce for item in rig.fleet.proxies()[0].types] == [""] * 4
        assert await said(inbound) == "one"

        rig.latest.set(resources(cluster("a", "2s"), endpoints("a", one), listening, routes("r", "a")))
        await asyncio.sleep(0)
        await until(lambda: in_sync(rig) and rig.fleet.resources(NODE) == rig.latest.value, 5)

        swapped = resources(cluster("b"), endpoints("b", two), listening, routes("r", "b"))
        rig.latest.set(swapped)
        async with asyncio.timeout(5):
            while (answer := await said(inbound)) != "two":
                assert answer == "one"
        await until(lambda: in_sync(rig), 5)

        wrong = listener("l", inbound, "r", "http.cors.v3.Cors")
        rig.latest.set(resources(cluster("b"), endpoints("b", two), wrong, routes("r", "b")))
        await until(lambda: SyncState.NACK in {item.state for item in rig.fleet.proxies()[0].types}, 5)
        assert await said(inbound) == "two"
        rig.latest.set(swapped)
        await until(lambda: in_sync(rig), 5)
