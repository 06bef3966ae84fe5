"""The resolver's parts put together, started before the application."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weft.agent.config import DnsConfig
from weft.agent.dns.answering import Answering
from weft.agent.dns.forwarding import Forwarder, host_resolvers
from weft.agent.dns.keeper import Introduced, NameKeeper
from weft.agent.dns.server import Resolver, serve
from weft.agent.http import HttpClient
from weft.kit.tasks import Tasks

_PATIENCE = 5.0
"""Seconds that an application waits for the names of the mesh at its start."""


async def start_resolver(
    group: Tasks,
    config: DnsConfig,
    who: Introduced,
    client: Callable[[], HttpClient],
    directory: Path,
    chance: random.Random,
) -> None:
    """Answer from now on; returns when the names are known, or those of an earlier run, or soon."""
    host = host_resolvers()
    own = {(address, config.port) for address in config.addresses}
    servers = [one for one in config.servers or host.servers if one not in own]
    answering = Answering(host.search)
    keeper = NameKeeper(answering, who, client, directory, chance)
    keeper.recall()
    resolver = Resolver(answering, Forwarder(servers, chance, config.mark))
    group.start(serve(resolver, config.addresses, config.port), "resolver")
    group.start(keeper.run(), "names")
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await keeper.known.wait()
