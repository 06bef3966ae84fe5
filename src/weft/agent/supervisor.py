"""The life of a workload, from its first key to the last of its processes.

Start: identity, Envoy, Envoy ready, application, application well, registered. Stop: peers are told to go elsewhere
and given time, then the application ends, then Envoy. The control plane may be away at any time after the start.
"""

import asyncio
import os
import random
from pathlib import Path

from msgspec.structs import replace

from weft.agent import notify
from weft.agent.answering import Answering
from weft.agent.app_probes import serve_app_probes
from weft.agent.application import Application, environment_of
from weft.agent.bootstrap import Sockets, peer
from weft.agent.breakers import BreakerReports
from weft.agent.capture.workload import WorkloadCapture
from weft.agent.config import AgentConfig, Probe
from weft.agent.damping import Damping
from weft.agent.draining import Draining
from weft.agent.errands import Errands, envoy_errands
from weft.agent.farewell import TOLD_SECONDS, Farewell
from weft.agent.flushing import flushed
from weft.agent.health import Health
from weft.agent.heritage import Heritage
from weft.agent.identity import IdentityKeeper
from weft.agent.last_good import Fetching, LastGood
from weft.agent.logs import LogSender
from weft.agent.ports import Plan, Ports, asked_at
from weft.agent.probe import is_well
from weft.agent.registrar import Registrar
from weft.agent.renewals import Renewals
from weft.agent.ring import Ring, Source, Written
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

_TERMINATED = 128 + 15


async def supervise(
    config: AgentConfig, clock: Clock, chance: random.Random, file: Path, heritage: Heritage | None = None
) -> int:
    """Run a workload to its end and return its exit code; with ``heritage``, one that runs.

    Raises ``UserError``, also in an exception group.
    """
    check_trust(config)
    binary = find_envoy(config.envoy_path)
    stopping = Stopping()
    stopping.listen()
    ports = Ports(chance, heritage.ports if heritage else ())
    with workplace(config) as directory, sockets(directory, heritage.sockets if heritage else None) as paths:
        try:
            last = LastGood(directory, clock)
            plan = heritage.plan if heritage and heritage.plan else ports.plan(config, last.plan(), paths.capture)
            workload = Workload(config, plan, ports, directory, paths, binary, clock, chance, last)
            return await workload.run(stopping, file, heritage)
        finally:
            ports.close()


class Workload:
    """The parts of one workload, each made once."""

    def __init__(
        self,
        config: AgentConfig,
        plan: Plan,
        ports: Ports,
        directory: Path,
        paths: Sockets,
        binary: EnvoyBinary,
        clock: Clock,
        chance: random.Random,
        last: LastGood,
    ) -> None:
        environment = environment_of(config, plan, dict(os.environ))
        if config.spiffe:
            environment["SPIFFE_ENDPOINT_SOCKET"] = f"unix://{paths.spiffe}"
        app_port = plan.inlets[0].app_port if plan.inlets else 0
        self._capture = WorkloadCapture(config, plan, directory, clock, ports.doors)
        environment |= self._capture.environment
        mark, admit = self._capture.mark, self._capture.admission
        self._config = config
        self._clock = clock
        self._plan = plan
        self._ports = ports
        self._paths = paths
        self._directory = directory
        self._identity = IdentityKeeper(config, directory, clock, chance)
        self._proxy = Sidecar(config, plan, directory, paths, self._identity, binary, clock, last)
        self._envoy = self._proxy.envoy
        self._fetching = Fetching(config, last, self._identity, chance)

        async def asked(probe: Probe) -> bool:
            port = asked_at(plan, probe.port) if probe.port else app_port
            return await is_well(probe, port, environment, mark, admit)

        damping = Damping(clock, config.flap_seconds)
        self._health = Health(config.health, lambda: asked(self._health.probe), damping)
        status = self._proxy.status
        self._answering = Answering(lambda: status.said, lambda: self._health.well)
        said = Ring(directory / "app.log", clock)
        self._application = Application(config, environment, clock, self._health.ended, admit, said.append)
        self._breakers = BreakerReports(self._envoy.breakers, config.name, lambda: self._identity.client, clock)
        self._registrar = Registrar(config, plan, self._health, lambda: self._identity.client)
        sources: dict[str, Source] = {"app": said, "sidecar": Written(directory / "envoy.log")}
        self._logs = LogSender(config.name, sources, lambda: self._identity.client)
        self._registrar.on_asked = self._logs.asked
        self._errands = Errands(config.name, self._identity.waiting_client, envoy_errands(self._envoy.asked))
        self._registrar.on_errand = self._errands.wake
        self._sidecar: tuple[asyncio.Task[None], ...] = ()
        self._heart: asyncio.Task[None] | None = None

    async def run(self, stopping: Stopping, file: Path, heritage: Heritage | None = None) -> int:
        """Live until the application ends or somebody asks to stop. ``file`` is the configuration's."""
        try:
            async with tasks() as group:
                if self._config.status_port:
                    group.start(self._answering.serve(self._config.address, self._config.status_port), "status")
                life = self._started(group, heritage)
                asked = group.start(_event(stopping.asked), "signals")
                group.start(notify.watchdog(), "watchdog")
                renewals = Renewals(self._proxy, self._listening(), lambda: self._heritage(), self._directory, file)
                group.start(renewals.run(stopping), "renewals")
                await asyncio.wait({life, asked}, return_when=asyncio.FIRST_COMPLETED)
                if life.done():
                    code = life.result()
                    await self._job_done(stopping)
                else:
                    code = await self._leave(life, stopping, group)
                await self._end()
            return code
        finally:
            self._application.kill()
            self._envoy.kill()
            self._proxy.status.forget()
            await self._capture.remove()

    def _started(self, group: Tasks, heritage: Heritage | None) -> asyncio.Task[int]:
        """The application's life, which begins when its sidecar is ready unless it is not to wait.

        One whose connections are captured always waits: until then they would go elsewhere.
        """
        if self._config.wait or heritage is not None or self._plan.capture is not None:
            return group.start(self._live(group, heritage), "application")
        group.start(self._begin(group, heritage), "sidecar")
        self._ports.release_application()
        return group.start(self._application.run(), "application")

    async def _live(self, group: Tasks, heritage: Heritage | None) -> int:
        """Start everything in order and return the application's exit code."""
        await self._begin(group, heritage)
        return await self._application.run()

    async def _begin(self, group: Tasks, heritage: Heritage | None) -> None:
        """Start all but the application, or go on with what runs."""
        await self._capture.prepare(heritage.capture if heritage else None)
        await self._identity.obtain()
        await self._join_group(heritage)
        issued = self._identity.current.issued
        if heritage is None:
            await self._proxy.prepare(self._health.probe if self._config.group else None)
        else:
            await self._adopt(heritage)
        self._proxy.say(state="starting")
        group.start(SdsServer(self._identity.latest).run(self._paths.sds), "sds")
        if self._config.spiffe:
            from weft.agent.workload_api import WorkloadApi

            api = WorkloadApi(self._identity.latest, lambda: self._identity.client)
            group.start(api.run(self._paths.spiffe), "workload API")
        group.start(self._identity.keep_fresh(), "identity")
        if self._config.app_probes:
            group.start(serve_app_probes(self._config.app_probes, self._config.address), "kubelets' probes")
        if self._config.dns is not None:
            from weft.agent.dns.start import start_resolver

            await start_resolver(group, self._config, self._plan, self._identity, self._directory)
        if self._config.scrape_port:
            itself = End(peer=parse_peer(peer(self._config, issued)), principal=self._identity.current.identity.uri)
            metrics = self._config.metrics
            metrics = replace(metrics, port=asked_at(self._plan, metrics.port)) if metrics else None
            scraping = Scraping(self._envoy.ask, lambda: itself, metrics, self._clock, self._capture.mark)
            group.start(scraping.serve(self._config.address, self._config.scrape_port), "metrics")
        self._sidecar = (
            group.start(self._proxy.follow(), "the way to the control plane"),
            group.start(self._envoy.keep(), "envoy"),
            group.start(self._envoy.watch_log(), "envoy's log"),
            group.start(self._breakers.run(), "circuit breakers"),
        )
        await self._envoy.wait_ready(self._listening())
        say(f"the sidecar of {self._config.name} is ready as {self._identity.current.identity}")
        notify.starting("the sidecar is ready, the application is not")
        self._proxy.say(state="ready")
        await self._capture.begin(group, self._identity.client)
        self._ports.release_application()
        group.start(self._fetching.run(), "last good configuration")
        group.start(self._health.watch(), "health")
        group.start(self._logs.run(), "logs")
        group.start(self._errands.run(), "errands")
        self._heart = group.start(self._register(), "heartbeats")

    async def _adopt(self, heritage: Heritage) -> None:
        """Go on with the children of the program before."""
        await self._proxy.adopt(heritage)
        if heritage.application:
            self._application.adopt(heritage.application, heritage.stderr, heritage.stdout)
        if heritage.well:
            self._health.was_well()

    def _heritage(self) -> Heritage | None:
        """What a newer program needs to go on; ``None`` as long as not everything runs."""
        if self._heart is None:
            return None
        application, stderr, stdout = self._application.freeze()
        inherited = self._proxy.heritage()
        return replace(
            inherited,
            plan=self._plan,
            ports=self._ports.files,
            application=application,
            stderr=stderr,
            stdout=stdout,
            well=self._health.well,
            probe=self._health.probe if self._config.group else None,
            capture=self._capture.guarded,
        )

    async def _join_group(self, heritage: Heritage | None) -> None:
        """Ask the application as its group wants it asked, unless the command line says how."""
        if heritage is not None and heritage.probe is not None:
            self._health.use(heritage.probe)
        elif self._config.group:
            probe = await self._proxy.asked_of_group(self._config.group)
            if probe is not None and self._config.probe is None:
                self._health.use(probe)

    async def _register(self) -> None:
        await self._health.first_well()
        notify.ready(f"{self._config.name} serves {self._config.service}")
        await self._registrar.beat()

    async def _leave(self, life: asyncio.Task[int], stopping: Stopping, group: Tasks) -> int:
        """Drain, then end the application; its exit code, 0 when it ended as it was told."""
        notify.stopping("draining", self._config.ending_seconds)
        self._proxy.say(state="draining")
        if self._heart is None:
            life.cancel()
            return _TERMINATED
        seconds = self._config.drain_seconds
        farewell = Farewell(lambda: self._registrar.leave(drain=True, seconds=seconds), self._identity.waiting_client)
        leaving = farewell.run(min(TOLD_SECONDS, seconds / 2)) if seconds > 0 else asyncio.sleep(0)
        told = group.start(leaving, "farewell")
        await Draining(self._drain, self._callers, stopping, seconds).run(life, told)
        told.cancel()
        await self._registrar.leave(drain=False)
        group.start(self._hurry(stopping), "hurry")
        await self._application.stop()
        done, _ = await asyncio.wait({life}, timeout=self._config.stop_seconds)
        code = life.result() if done else 0
        return 0 if code == _TERMINATED else code

    async def _drain(self) -> None:
        await self._envoy.drain(inbound=True)

    async def _callers(self) -> int:
        return await self._envoy.connections("(inbound_|virtualInbound)")

    async def _hurry(self, stopping: Stopping) -> None:
        await stopping.hurried.wait()
        self._application.kill()

    async def _job_done(self, stopping: Stopping) -> None:
        """What a job's sidecar counted is reported before it ends with the job."""
        if not self._plan.inlets and not stopping.asked.is_set():
            await flushed(self._envoy.ask)

    async def _end(self) -> None:
        """Leave the mesh and end the sidecar; the application has ended."""
        await self._registrar.leave(drain=False)
        if self._heart is not None:
            self._heart.cancel()
        for task in self._sidecar:
            task.cancel()
        await self._envoy.stop()

    def _listening(self) -> frozenset[str]:
        """Where the sidecar must listen before the application may start."""
        plan = self._plan
        local = [outlet.bind_port for outlet in plan.outlets] + ([plan.http_proxy] if plan.http_proxy else [])
        inbound = [f"{_bracketed(self._config.address)}:{inlet.bind_port}" for inlet in plan.inlets]
        if plan.capture is not None and plan.capture.way:
            inbound.append(plan.capture.way)
        elif plan.capture is not None:
            inbound = [f"0.0.0.0:{port}" for port in (plan.capture.outbound, plan.capture.inbound)]
        return frozenset([*inbound, *(f"127.0.0.1:{port}" for port in local)])


async def _event(event: asyncio.Event) -> None:
    await event.wait()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
