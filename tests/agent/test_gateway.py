"""What a gateway's agent finds out and tells."""

import asyncio
import contextlib
import json
import os
from pathlib import Path

import pytest

from tests.agent.rig import until_true
from weft.agent.bootstrap import introduction
from weft.agent.config import AgentConfig, GatewayConfig, read_config, write_config
from weft.agent.http import HttpClient
from weft.agent.ports import Plan
from weft.agent.privilege import lowest_port
from weft.agent.readiness import Readiness
from weft.agent.status import Said
from weft.kit.errors import UserError
from weft.model.identity import Identity
from weft.view.node import GatewayPlace, parse_node

GATEWAY = GatewayConfig(bind="127.0.0.1", port_offset=8000, trusted_hops=1, health_port=23_021, workers=2, http3=True)
CONFIG = AgentConfig(
    service="ingress", name="ingress", command=(), state_dir=Path("/tmp/none"), labels=(("istio", "edge"),),
    http_proxy=False, gateway=GATEWAY,
)  # fmt: skip


def test_the_control_plane_reads_what_a_gateway_says_of_itself() -> None:
    identity = Identity(trust_domain="cluster.local", namespace="edge", account="ingress")
    said = introduction(CONFIG, "edge", Plan(inlets=(), outlets=(), http_proxy=None))
    node = parse_node(identity, "ingress.edge", said)
    assert node.gateway == GatewayPlace(
        bind="127.0.0.1", port_offset=8000, trusted_hops=1, lowest_port=lowest_port(), http3=True
    )
    assert ("istio", "edge") in node.labels


def test_a_gateways_configuration_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(write_config(CONFIG))
    assert read_config(file) == CONFIG
    assert json.loads(file.read_bytes())["gateway"]["port_offset"] == 8000


@pytest.mark.parametrize(("capabilities", "lowest"), [("0000000000000400", 1), ("0000000000000000", 700)])
def test_low_ports_need_a_capability_or_the_kernels_leave(tmp_path: Path, capabilities: str, lowest: int) -> None:
    status, limit = tmp_path / "status", tmp_path / "limit"
    field = "CapAmb" if os.geteuid() else "CapEff"
    status.write_text(f"Name:\tx\n{field}:\t{capabilities}\n")
    limit.write_text("700\n")
    assert lowest_port(status, limit) == lowest


def test_without_the_kernels_word_low_ports_are_those_below_1024(tmp_path: Path) -> None:
    assert lowest_port(tmp_path / "none", tmp_path / "none") == 1024


@pytest.mark.asyncio
async def test_health_checks_are_told_when_it_is_ready_and_when_its_configuration_is_an_old_one() -> None:
    said = [Said(pid=1)]
    readiness = Readiness(lambda: said[0])
    with contextlib.closing(await _free()) as holder:
        port = holder.sockets[0].getsockname()[1]
    serving = asyncio.create_task(readiness.serve("127.0.0.1", port))
    try:
        client = HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "probe", 5.0)
        await until_true(lambda: _open(port))
        assert (await client.request("GET", "/healthz/ready")).status == 503
        readiness.ready = True
        assert (await client.request("GET", "/healthz/ready")).status == 200
        assert b"x-weft-stale" not in await _raw(port)
        said[0] = Said(pid=1, stale=1_700_000_000.0)
        assert b"x-weft-stale: 2023-11-14T22:13:20Z\r\n" in await _raw(port)
    finally:
        serving.cancel()


@pytest.mark.asyncio
async def test_a_health_port_that_is_taken_is_said() -> None:
    async with await _free() as holder:
        port = holder.sockets[0].getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port}"):
            await Readiness(lambda: Said(pid=1)).serve("127.0.0.1", port)


async def _raw(port: int) -> bytes:
    """The answer as it is on the wire."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz/ready HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def _free() -> asyncio.Server:
    return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def _open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
