"""The life of a gateway: a proxy at the mesh's edge, without an application.

Start: identity, Envoy, ready; then it registers, so that services may select it. It opens the ports that ``Gateway``
documents ask of its labels. Stop: health checks and the mesh are told that it goes, clients are told to reconnect
elsewhere, open connections get time, then Envoy ends.
"""

import asyncio
import random
from pathlib import Path

from weft.agent import notify
from weft.agent.bootstrap import Sockets, peer
from weft.agent.breakers import BreakerReports
from weft.agent.config import AgentConfig, GatewayConfig
from weft.agent.errands import Errands, envoy_errands
from weft.agent.health import Health
from weft.agent.heritage import Heritage
from weft.agent.identity import IdentityKeeper
from weft.agent.last_good import Fetching, LastGood
from weft.agent.logs import LogSender
from weft.agent.ports import Plan
from weft.agent.privilege import lowest_port
from weft.agent.readiness import Readiness
from weft.agent.registrar import Registrar
from weft.agent.renewals import Renewals
from weft.agent.ring import Written
from weft.agent.say import say
from weft.agent.scraping import Scraping
from weft.agent.sds_server import SdsServer
from weft.agent.sidecar import Sidecar
from weft.agent.stopping import Stopping
from weft.agent.trust import check_trust
from weft.agent.workplace import sockets, workplace
from weft.kit.clock import Clock
from weft.kit.envoy_binary import EnvoyBinary, find_envoy
from weft.kit.tasks import Tasks, tasks
from weft.model.reporting import parse_peer
from weft.model.series import End

_IDLE_POLL = 0.1
_NO_PORTS = Plan(inlets=(), outlets=(), http_proxy=None)


async def supervise_gateway(
    config: AgentConfig,
    gateway: GatewayConfig,
    clock: Clock,
    chance: random.Random,
    file: Path,
    heritage: Heritage | None = None,
) -> int:
    """Run a gateway to its end and return its exit code; with ``heritage``, one that runs.

    Raises ``UserError``, also in an exception group.
    """
    check_trust(config)
    binary = find_envoy(config.envoy_path)
    stopping = Stopping()
    stopping.listen()
    with workplace(config) as directory, sockets(directory, heritage.sockets if heritage else None) as paths:
        proxy = GatewayProxy(config, gateway, directory, paths, binary, clock, chance)
        return await proxy.run(stopping, file, heritage)


class GatewayProxy:
    """The parts of one gateway, each made once."""

    def __init__(
        self,
        config: AgentConfig,
        gateway: GatewayConfig,
        directory: Path,
        paths: Sockets,
        binary: EnvoyBinary,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._gateway = gateway
        self._paths = paths
        self._directory = directory
        self._identity = IdentityKeeper(config, directory, clock, chance)
        last = LastGood(directory, clock)
        self._proxy = Sidecar(config, _NO_PORTS, directory, paths, self._identity, binary, clock, last, 0)
        self._fetching = Fetching(config, last, self._identity, chance)
        self._envoy = self._proxy.envoy
        self._breakers = BreakerReports(self._envoy.breakers, config.name, lambda: self._identity.client, clock)
        status = self._proxy.status
        self._readiness = Readiness(lambda: status.said)
        self._health = Health(config.health, self._is_ready)
        self._registrar = Registrar(config, _NO_PORTS, self._health, lambda: self._identity.client)
        sources = {"sidecar": Written(directory / "envoy.log")}
        self._logs = LogSender(config.name, sources, lambda: self._identity.client)
        self._registrar.on_asked = self._logs.asked
        self._errands = Errands(config.name, self._identity.waiting_client, envoy_errands(self._envoy.asked))
        self._registrar.on_errand = self._errands.wake
        self._keeping: asyncio.Task[None] | None = None

    async def run(self, stopping: Stopping, file: Path, heritage: Heritage | None = None) -> int:
        """Live until somebody asks to stop. ``file`` is the configuration's."""
        try:
            async with tasks() as group:
                life = group.start(self._live(group, heritage), "gateway")
                renewals = Renewals(self._proxy, frozenset(), self._heritage, self._directory, file)
                group.start(renewals.run(stopping), "renewals")
                group.start(notify.watchdog(), "watchdog")
                await stopping.asked.wait()
                life.cancel()
                await self._leave(stopping)
            return 0
        finally:
            self._envoy.kill()
            self._proxy.status.forget()

    def _heritage(self) -> Heritage | None:
        """What a newer program needs to go on; ``None`` as long as not everything runs."""
        return self._proxy.heritage() if self._readiness.ready else None

    async def _live(self, group: Tasks, heritage: Heritage | None) -> None:
        gateway, name = self._gateway, self._config.name
        if gateway.health_port:
            group.start(self._readiness.serve(gateway.bind, gateway.health_port), "health")
        await self._identity.obtain()
        if heritage is None:
            await self._proxy.prepare()
        else:
            await self._proxy.adopt(heritage)
        self._proxy.say(state="starting")
        group.start(SdsServer(self._identity.latest).run(self._paths.sds), "sds")
        group.start(self._identity.keep_fresh(), "identity")
        if self._config.scrape_port:
            current = self._identity.current
            itself = End(peer=parse_peer(peer(self._config, current.issued)), principal=current.identity.uri)
            scraping = Scraping(self._envoy.ask, lambda: itself, None, self._clock)
            group.start(scraping.serve(self._config.address, self._config.scrape_port), "metrics")
        group.start(self._proxy.follow(), "the way to the control plane")
        self._keeping = group.start(self._envoy.keep(), "envoy")
        group.start(self._envoy.watch_log(), "envoy's log")
        group.start(self._breakers.run(), "circuit breakers")
        await self._envoy.wait_ready(frozenset())
        self._readiness.ready = True
        notify.ready(f"the gateway {name} is ready")
        self._proxy.say(state="ready")
        say(f"the gateway {name} is ready as {self._identity.current.identity}")
        group.start(self._health.watch(), "health checks")
        group.start(self._logs.run(), "logs")
        group.start(self._errands.run(), "errands")
        group.start(self._fetching.run(), "last good configuration")
        group.start(self._registrar.beat(), "heartbeats")
        if (lowest := lowest_port()) > 1 and not gateway.port_offset:
            say(f"ports below {lowest} need a privilege that it has not; give --port-offset to open others instead")

    async def _is_ready(self) -> bool:
        return self._readiness.ready

    async def _leave(self, stopping: Stopping) -> None:
        """Let load balancers look away, then clients, then wait for what is under way."""
        notify.stopping("draining", self._config.ending_seconds)
        if self._readiness.ready:
            self._readiness.ready = False
            await self._registrar.leave(drain=True)
            await stopping.wait(self._config.drain_seconds)
            await self._envoy.drain()
            await self._idle(stopping)
        await self._registrar.leave(drain=False)
        if self._keeping is not None:
            self._keeping.cancel()
        await self._envoy.stop()

    async def _idle(self, stopping: Stopping) -> None:
        """Wait until no client is connected, no longer than asked."""
        deadline = asyncio.get_running_loop().time() + self._config.stop_seconds
        while await self._envoy.connections() and not stopping.hurried.is_set():
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(_IDLE_POLL)
