"""A workload's resolver with a real control plane: new names at once, and those of before when nobody is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.exception
import dns.message
import pytest

from tests.agent.rig import Mesh, running, until_true
from tests.dialects.documents import document
from weft.agent.config import DnsConfig
from weft.agent.dns.keeper import _WAIT
from weft.dialects.kubernetes.translate import EXPORT_TO
from weft.model.document import Document

pytestmark = [pytest.mark.asyncio, pytest.mark.live]


def service(name: str, address: str, namespace: str = "shop", **metadata: Any) -> Document:
    spec = f"clusterIP: {address}\nports: [{{port: 9080, name: http}}]\nselector: {{app: {name}}}"
    return document("Service", spec, name=name, namespace=namespace, **metadata)


async def resolved(port: int, name: str, kind: str = "A") -> list[str]:
    query = dns.message.make_query(name, kind)
    answer = await dns.asyncquery.udp(query, "127.0.0.1", port=port, timeout=1)
    return [record.to_text() for rrset in answer.answer for record in rrset]


async def test_names_are_answered_while_the_control_plane_is_there_and_while_it_is_not(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    port = free_port()
    await mesh.store.create(service("ratings", "240.241.0.7"))
    await mesh.store.create(service("hidden", "240.241.0.9", "other", annotations={EXPORT_TO: "."}))
    config = await mesh.config("reviews-1", dns=DnsConfig(port=port))
    async with running(config) as agent:
        async with mesh.serving():
            await agent.says("is registered")
            assert await resolved(port, "ratings") == ["240.241.0.7"]
            assert await resolved(port, "hidden.other.svc.cluster.local") == []
            await mesh.store.create(service("orders", "240.241.0.8"))

            async def there() -> bool:
                return await resolved(port, "orders") == ["240.241.0.8"]

            await until_true(there, _WAIT / 2)
        await agent.says("the control plane does not tell names")
        assert await resolved(port, "ratings.shop") == ["240.241.0.7"]
        await agent.stop()
    async with running(config) as agent:

        async def again() -> bool:
            try:
                return await resolved(port, "orders") == ["240.241.0.8"]
            except (OSError, dns.exception.Timeout):
                return False

        await until_true(again)
        assert "is registered" not in agent.said
