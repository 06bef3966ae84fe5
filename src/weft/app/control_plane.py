"""A control plane, whole: what is served, in which order it begins and ends.

Started from the bottom up: store, authority, pipeline; sidecars, agents and users are answered only when the first
complete mesh is there. Stopped the other way round.
"""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from weft.api.admin import AdminToken, load_admin_token
from weft.api.https import HttpsServer, https_config, listen
from weft.api.listener import CertificateProtocol
from weft.app.agents import local_server
from weft.app.api import api_of, numbered
from weft.app.config import Addresses, Config, addresses_of, check_trust_domain, hosts_of
from weft.app.health import Health
from weft.app.numbers import metrics
from weft.app.parts import Composed
from weft.ca.opening import Place, opened_unless
from weft.ca.signer import Signer
from weft.ca.spiffe import Spiffe
from weft.dialects.translate import completed_document
from weft.duties.rekey import open_sealed
from weft.kit.clock import Clock, SystemClock
from weft.kit.files import write_whole
from weft.kit.notify import notify, watchdog
from weft.kit.state_dir import alone, usable
from weft.kit.tasks import Tasks, tasks
from weft.model.settings import Settings
from weft.store.addressed import addressed
from weft.store.keys import Keys, find_keys, key_source

__all__ = ["Addresses", "Config", "ControlPlane"]

_log = structlog.get_logger()
SWITCH = 0.001
"""Seconds after which a thread that computes makes way for another that waits. A change passes between the event loop
and threads a dozen times (writing, compiling, sending); with Python's 5 ms each time, beside a query or an ingestion
that never rests, that would be most of what it takes."""


class ControlPlane:
    """One control plane: ``run`` it once, ``stop`` it from the same loop."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask ``run`` to end in good order."""
        self._stopping.set()

    async def run(self, ready: Callable[[Addresses], None]) -> None:
        """Serve until ``stop``; ``ready`` is called once everybody is answered.

        Raises ``UserError`` when the state directory is in use or cannot be used, or a port is taken.
        """
        check_trust_domain(self._config.trust_domain)
        state = self._config.state
        with alone(state), _listening(self._config) as (api, agents):
            settings = msgspec.structs.replace(self._config.mesh, trust_domain=self._config.trust_domain)
            with usable(state):
                keys = find_keys(key_source(state.encryption_key, self._config.encryption_key_file, os.environ))
                admin = load_admin_token(state.admin_token)
                place = Place(
                    directory=state.authority,
                    trust_domain=settings.trust_domain,
                    lifetime=self._config.leaf_lifetime,
                    hosts=hosts_of(self._config.address),
                )
                authority = await opened_unless(self._stopping, self._config.signer, place, keys.ring, self._clock)
            if authority is None:
                return
            try:
                await self._serve(authority, keys, admin, settings, (api, agents), ready)
            finally:
                await authority.close()

    async def _serve(
        self,
        authority: Signer,
        keys: Keys,
        admin: AdminToken,
        settings: Settings,
        sockets: tuple[socket.socket, socket.socket],
        ready: Callable[[Addresses], None],
    ) -> None:
        with usable(self._config.state):
            spiffe = Spiffe(self._config.state.authority, keys.ring, authority, self._clock)
        opened = await open_sealed(self._config.state.database, keys, self._clock)
        try:
            store = await addressed(opened, completed_document)
            composed = Composed(self._config, self._clock, settings, authority, spiffe, admin, store)
            await _Served(composed).serve(*sockets, ready, self._stopping)
        finally:
            await opened.close()


class _Served:
    """A composition from its start to its end."""

    def __init__(self, parts: Composed) -> None:
        self._parts = parts

    async def serve(
        self,
        api_socket: socket.socket,
        agent_socket: socket.socket,
        ready: Callable[[Addresses], None],
        stopping: asyncio.Event,
    ) -> None:
        """Start, wait for ``stopping``, stop."""
        async with tasks() as group:
            group.start(watchdog(), "watchdog")
            await self._parts.begin(group)
            xds = await self._parts.serve_xds()
            try:
                addresses = addresses_of(self._parts.config, api_socket, agent_socket, xds.port)
                config = https_config(api_of(self._parts), self._parts.certificate.context, CertificateProtocol)
                api = HttpsServer(config, api_socket)
                own_numbers = numbered(self._parts)
                group.start(Health(self._parts).watch(), "health")
                group.start(self._parts.own.run(lambda: metrics(own_numbers)), "own numbers")
                group.start(self._parts.metrics.run(), "queries")
                app = self._parts.workloads.app(addresses.xds, self._parts.audit.write, self._parts.for_agents())
                own = self._parts.agent_listener.config(app, self._parts.config.address, self._parts.config.agent_port)
                agents = HttpsServer(own, agent_socket)
                done = [await _started(group, server, name) for server, name in ((api, "API"), (agents, "agents"))]
                local = self._parts.config.attestation.local if self._parts.config.attestation else None
                async with local_server(local, app):
                    self._announce(addresses, ready)
                    await stopping.wait()
                    self._farewell()
                self._parts.workloads.errands.end()
                agents.stop()
                api.stop()
            finally:
                await xds.stop()
                await self._parts.counters.close()
                await self._parts.metrics.close()
            await asyncio.gather(*done)
        await self._parts.recording.close()
        await self._parts.auditing.close()
        await self._parts.watching.close()
        _log.info("stopped")

    def _announce(self, addresses: Addresses, ready: Callable[[Addresses], None]) -> None:
        """Say that everybody is answered; what is there by now stays, so the collector need not look at it again."""
        with usable(self._parts.config.state):
            write_whole(self._parts.config.state.ports, msgspec.json.encode(addresses), 0o600)
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(SWITCH)
        notify("READY=1", f"STATUS=API {addresses.api}, xDS {addresses.xds}, agents {addresses.agents}")
        _log.info("ready", **msgspec.structs.asdict(addresses))
        ready(addresses)

    def _farewell(self) -> None:
        _log.info("stopping")
        notify("STOPPING=1")
        self._parts.workloads.names.stop()
        self._parts.config.state.ports.unlink(missing_ok=True)


async def _started(group: Tasks, server: HttpsServer, name: str) -> "asyncio.Task[None]":
    task = group.start(server.run_until_stopped(), name)
    await server.wait_started()
    return task


@contextmanager
def _listening(config: Config) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The sockets of the API and of the agents, had before anything is started."""
    with (
        listen(config.address, config.api_port, option="--api-port") as api,
        listen(config.address, config.agent_port, option="--agent-port") as agents,
    ):
        yield api, agents
