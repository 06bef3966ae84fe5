"""The agent's Envoy with what it is started with, the first time and whenever another takes over from it."""

import asyncio
import contextlib
import time
from pathlib import Path

from weft.agent.bootstrap import Sockets, bootstrap, introduction, peer
from weft.agent.config import AgentConfig, Probe
from weft.agent.envoy import Envoy
from weft.agent.group import group_probe
from weft.agent.heritage import Heritage
from weft.agent.http import Unanswered
from weft.agent.identity import IdentityKeeper
from weft.agent.last_good import Kept, LastGood
from weft.agent.ports import Plan
from weft.agent.replay import lacking, replay
from weft.agent.say import say
from weft.agent.start import Beginning, beginning, workers
from weft.agent.status import Status
from weft.agent.steering import Way
from weft.kit.clock import Clock
from weft.kit.envoy_binary import EnvoyBinary, find_envoy
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.tasks import tasks

_PATIENCE = 60.0
"""Seconds that a new Envoy gets until it serves."""
_SHORT = 1.0
"""Seconds that a control plane gets to answer where a last good configuration could be used instead."""
_LOOK = 0.5
_SEEN = 0.5
"""Seconds that Envoy gets to read a new way before the old one ends."""
_RESOLVE = 30.0
"""Seconds between looks whether the control plane's name has other addresses."""
_MOVED = 5.0
"""Likewise, whether it is at another one of several that were named."""


class Sidecar:
    """An Envoy and its bootstrap. ``otherwise`` are its threads where nobody says how many."""

    def __init__(
        self,
        config: AgentConfig,
        plan: Plan,
        directory: Path,
        paths: Sockets,
        identity: IdentityKeeper,
        binary: EnvoyBinary,
        clock: Clock,
        last: LastGood,
        otherwise: int = 1,
    ) -> None:
        self._config = config
        self._plan = plan
        self._paths = paths
        self._bootstrap = directory / "bootstrap.json"
        self._identity = identity
        self._otherwise = otherwise
        self._way = Way(paths.way) if paths.way else None
        self._awaited = asyncio.Event()
        self._steered = False
        self.last = last
        self.status = Status(directory / "agent.json", config.name, clock)
        self.envoy = Envoy(binary, self._bootstrap, paths.admin, clock, overlap=config.overlap_seconds)
        self.envoy.before_start = self._steer

    async def prepare(self, probe: Probe | None = None) -> None:
        """Write the bootstrap that the next Envoy starts with, as documents and the control plane want it now.

        Where the control plane is away it is the last good one's, if there is one. ``probe`` is the group's.
        """
        issued = self._identity.current.issued
        own = bootstrap(self._config, issued, self._plan, self._paths)
        said_of_itself = introduction(self._config, issued.namespace, self._plan)
        kept = self.last.fits(said_of_itself)
        await self._lead_somewhere()
        patience = _SHORT if kept is not None else None
        begun = await beginning(self._identity.client, own, self.envoy.binary, self._bootstrap.parent, patience)
        if not begun.answered and kept is not None:
            changed = kept.started.encode() if kept.own == own.decode() else own
            begun = Beginning(bootstrap=changed, concurrency=kept.concurrency, answered=False)
        else:
            self.last.begin(
                Kept(
                    introduction=said_of_itself,
                    plan=self._plan,
                    own=own.decode(),
                    started=begun.bootstrap.decode(),
                    concurrency=begun.concurrency,
                    probe=probe,
                )
            )
        await self._lead(away=not begun.answered and kept is not None)
        self._steered = True
        write_whole(self._bootstrap, begun.bootstrap)
        self.envoy.say_peer(peer(self._config, issued))
        said = self._config.gateway.workers if self._config.gateway else self._config.workers
        self.envoy.use_workers(said or workers(begun.concurrency, self._otherwise))

    async def asked_of_group(self, name: str) -> Probe | None:
        """How a group wants its applications asked; as it did when a last good configuration has to be used."""
        kept = self.last.fits(introduction(self._config, self._identity.current.issued.namespace, self._plan))
        try:
            return await group_probe(self._identity.client, name)
        except UserError:
            if kept is None or await self._is_back():
                raise
            return kept.probe

    async def follow(self) -> None:
        """For ever: keep the way to the control plane, and serve the last good configuration as long as it is away."""
        while True:
            if not self.status.said.stale:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awaited.wait(), _MOVED if self._identity.may_move else _RESOLVE)
                if not self.status.said.stale and self._way is not None:
                    await self._way.to(await self._identity.xds_address())
                continue
            async with tasks() as group:
                group.start(replay(self._paths.replay, self.last.body), "last good configuration")
                while not await self._is_back():  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(_LOOK)
                await self._lead(away=False)
                await asyncio.sleep(_SEEN)

    async def _lead_somewhere(self) -> None:
        """Envoy takes no bootstrap that names a file that is not there, not even to look at it."""
        way = self._way
        if way is not None and not way.file.exists() and not await way.to(await self._identity.xds_address()):
            way.to_replay(self._paths.replay)

    async def _steer(self) -> None:
        """Before each start of Envoy: whom it is to ask."""
        fresh, self._steered = self._steered, False
        if fresh:
            return
        issued = self._identity.current.issued
        usable = self.last.fits(introduction(self._config, issued.namespace, self._plan)) is not None
        await self._lead(away=usable and not await self._is_back())

    async def _lead(self, *, away: bool) -> None:
        """Lead the proxy to the control plane, or to the last good configuration."""
        if self._way is None:
            return
        stale = self.status.said.stale
        if not away:
            await self._way.to(await self._identity.xds_address())
            if stale:
                self._awaited.clear()
                self.say(stale=0.0, without=())
                say("the control plane is back; the proxy follows it again")
            return
        self._way.to_replay(self._paths.replay)
        if not stale and self.last.kept is not None:
            since = self.last.kept.since
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
            without = lacking(self.last.body())
            self.say(stale=since, without=without)
            self._awaited.set()
            say(f"the control plane is away; the proxy starts with its last good configuration, of {moment}")
            if without:
                keys = ", ".join(without)
                say(f"the control plane's keys are not kept here; connections that need them fail: {keys}")

    async def _is_back(self) -> bool:
        """Whether the control plane answers."""
        try:
            async with asyncio.timeout(_SHORT):
                return (await self._identity.client.request("GET", "/v1/bundle")).status == 200
        except (Unanswered, TimeoutError):
            return False

    async def upgrade(self, listening: frozenset[str]) -> None:
        """Let a new Envoy take over: of the binary that is there now, with the bootstrap as it would be now."""
        say("another envoy takes over")
        problem = await self._replaced(listening)
        version, overlap = self.envoy.binary.version, self._config.overlap_seconds
        end = f"envoy {version} took over; the old one lives on for {overlap:g} s for connections that it has"
        self.say(problem=problem)
        say(f"the envoy that runs stays: {problem}" if problem else end)

    async def adopt(self, heritage: Heritage) -> None:
        """Go on with the Envoy of the program before."""
        await self._steer()
        self.envoy.adopt(heritage.envoy, heritage.epoch)
        self.envoy.use_workers(heritage.workers)
        self.envoy.say_peer(peer(self._config, self._identity.current.issued))

    def heritage(self) -> Heritage:
        """What the next program needs to go on with this Envoy."""
        envoy = self.envoy
        return Heritage(envoy=envoy.pid, epoch=envoy.epoch, workers=envoy.workers, sockets=self._paths.admin.parent)

    def say(self, *, problem: str = "", **changes: object) -> None:
        """Write down how it is."""
        envoy = {"envoy": self.envoy.binary.version, "epoch": self.envoy.epoch, "envoy_pid": self.envoy.pid}
        self.status.say(problem=problem, **envoy, **changes)

    async def _replaced(self, listening: frozenset[str]) -> str:
        threads = self.envoy.workers
        if lacking(self.last.body()) and not await self._is_back():
            return "the control plane is away, and another one would not have the keys that it keeps"
        try:
            binary = find_envoy(self._config.envoy_path)
        except UserError as absent:
            return str(absent)
        await self.prepare()
        self._steered = False
        if self.envoy.workers != threads:
            # Sockets are handed over thread by thread.
            self.envoy.use_workers(threads)
            say(f"another number of worker threads holds from the next start on; it stays {threads} until then")
        return await self.envoy.replace(binary, listening, _PATIENCE)
