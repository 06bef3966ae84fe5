"""The resolver's parts put together, started before the application."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

from weft.agent.bootstrap import introduction
from weft.agent.config import AgentConfig, DnsConfig
from weft.agent.dns.answering import Answering
from weft.agent.dns.forwarding import Forwarder, host_resolvers
from weft.agent.dns.keeper import Introduced, NameKeeper
from weft.agent.dns.server import Resolver, serve
from weft.agent.identity import IdentityKeeper
from weft.agent.ports import Plan
from weft.kit.tasks import Tasks

_PATIENCE = 5.0
"""Seconds that an application waits for the names of the mesh at its start."""


async def start_resolver(
    group: Tasks, config: AgentConfig, plan: Plan, identity: IdentityKeeper, directory: Path
) -> None:
    """Answer from now on; returns when the names are known, or those of an earlier run, or soon."""
    dns, chance = config.dns or DnsConfig(), random.SystemRandom()
    host, own = host_resolvers(), {(address, plan.dns) for address in dns.addresses}
    servers = [one for one in dns.servers or host.servers if one not in own]
    answering = Answering(host.search)
    namespace = identity.current.issued.namespace
    who = Introduced(node_id=f"{config.name}.{namespace}", metadata=introduction(config, namespace, plan))
    keeper = NameKeeper(answering, who, lambda: identity.client, directory, chance)
    keeper.recall()
    resolver = Resolver(answering, Forwarder(servers, chance, dns.mark))
    group.start(serve(resolver, dns.addresses, plan.dns), "resolver")
    group.start(keeper.run(), "names")
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await keeper.known.wait()
