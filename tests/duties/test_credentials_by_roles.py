"""A role that is given or taken counts for the keys of proxies that run, without any other change of the mesh."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest

from tests.agent.test_credentials_live import pair, secret
from tests.xds.certificates import Root
from weft.api.accounts import reading_by_roles
from weft.api.authorizer import Authorizer
from weft.compiler.resource import CLUSTER, SECRET, Resources, SecretUse, resource
from weft.dialects.translate import KINDS
from weft.duties.credentials import SecretDelivery
from weft.model.credential import Credential
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.pipeline import Pace, Pipeline, Stages
from weft.store.memory import MemoryStore
from weft.store.source import StoreUnavailable
from weft.view.node import GatewayPlace, Node
from weft.view.view import View
from weft.xds.introduction import Introduction

pytestmark = pytest.mark.asyncio
RBAC = "rbac.authorization.k8s.io"


def rbac(kind: str, name: str, **content: object) -> Document:
    said = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}} | content
    return Document(key=Key(group=RBAC, kind=kind, namespace="shop", name=name), content=json.dumps(said).encode())


ROLE = rbac("Role", "edge", rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
BINDING = rbac(
    "RoleBinding",
    "edge",
    roleRef={"apiGroup": RBAC, "kind": "Role", "name": "edge"},
    subjects=[{"kind": "ServiceAccount", "namespace": "shop", "name": "edge"}],
)


def made(view: View) -> Resources:
    uses = (SecretUse(name="kubernetes://a", credential=Credential(name="a")),)
    return Resources(resources=(resource(CLUSTER, "one", b"one"),), secrets=uses)


def introduction() -> Introduction:
    said = {"namespace": "shop", "workload": "edge-1", "gateway": {"bind": "127.0.0.1"}}
    identity = Identity(trust_domain="cluster.local", namespace="shop", account="edge")
    return Introduction(identity=identity, node_id="edge-1.shop", metadata=msgspec.json.encode(said).decode())


async def keys(offers: AsyncGenerator[Resources, None]) -> tuple[list[str], list[str]]:
    """The secrets of the next offer, and what the proxy is told."""
    async with asyncio.timeout(5):
        offer = await anext(offers)
    return [one.name for one in offer.resources if one.type_url == SECRET], [one.code for one in offer.findings]


async def test_a_role_that_is_given_or_taken_counts_within_a_second() -> None:
    store = MemoryStore()
    await store.create(secret("a", **pair(Root(), "a.com")))
    delivery = SecretDelivery(store, reading_by_roles(Authorizer(store, KINDS)))
    stages = Stages(resources_of=made)
    pipeline = Pipeline(store, Settings(), stages=stages, pace=Pace(), secrets=delivery.added)
    running = asyncio.ensure_future(pipeline.run())
    try:
        await asyncio.wait_for(pipeline.latest.first(), 5)
        async with aclosing(pipeline.subscribe(introduction())) as offers:
            assert await keys(offers) == ([], ["W0256"])
            await store.create(ROLE)
            for change, expected in (
                (store.create(BINDING), ["kubernetes://a"]),
                (store.delete(BINDING.key, None), []),
                (store.create(BINDING), ["kubernetes://a"]),
                (store.delete(ROLE.key, None), []),
            ):
                began = time.monotonic()
                await change
                assert await keys(offers) == (expected, [] if expected else ["W0256"])
                assert time.monotonic() - began < 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_while_roles_cannot_be_read_nobody_gets_a_key_and_nobody_loses_one() -> None:
    away = False

    async def may_read(identity: Identity, name: str) -> bool:
        if away:
            raise StoreUnavailable("the disk is full")
        return True

    store = MemoryStore()
    await store.create(secret("a", **pair(Root(), "a.com")))
    delivery = SecretDelivery(store, may_read)
    node = Node(
        id="edge.shop",
        namespace="shop",
        workload="edge",
        identity=Identity(trust_domain="cluster.local", namespace="shop", account="edge"),
        gateway=GatewayPlace(bind="127.0.0.1"),
    )
    wanted = made(View(trust_domain="cluster.local"))
    given = await delivery.added(wanted, node, None)
    away = True
    assert await delivery.added(wanted, node, given) == given
    assert (await delivery.added(wanted, node, None)).resources == wanted.resources
