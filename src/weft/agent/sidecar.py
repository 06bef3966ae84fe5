"""The agent's Envoy with what it is started with, the first time and whenever another takes over from it."""

from pathlib import Path

from weft.agent.bootstrap import Sockets, bootstrap, peer
from weft.agent.config import AgentConfig
from weft.agent.envoy import Envoy
from weft.agent.heritage import Heritage
from weft.agent.identity import IdentityKeeper
from weft.agent.ports import Plan
from weft.agent.say import say
from weft.agent.start import beginning, workers
from weft.agent.status import Status
from weft.kit.clock import Clock
from weft.kit.envoy_binary import EnvoyBinary, find_envoy
from weft.kit.errors import UserError
from weft.kit.files import write_whole

_PATIENCE = 60.0
"""Seconds that a new Envoy gets until it serves."""


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
        otherwise: int = 1,
    ) -> None:
        self._config = config
        self._plan = plan
        self._paths = paths
        self._bootstrap = directory / "bootstrap.json"
        self._identity = identity
        self._otherwise = otherwise
        self.status = Status(directory / "agent.json", config.name, clock)
        self.envoy = Envoy(binary, self._bootstrap, paths.admin, clock, overlap=config.overlap_seconds)

    async def prepare(self) -> None:
        """Write the bootstrap that the next Envoy starts with, as documents and the control plane want it now."""
        issued = self._identity.current.issued
        own = bootstrap(self._config, issued, self._plan, self._paths)
        begun = await beginning(self._identity.client, own, self.envoy.binary, self._bootstrap.parent)
        write_whole(self._bootstrap, begun.bootstrap)
        self.envoy.say_peer(peer(self._config, issued))
        said = self._config.gateway.workers if self._config.gateway else self._config.workers
        self.envoy.use_workers(said or workers(begun.concurrency, self._otherwise))

    async def upgrade(self, listening: frozenset[str]) -> None:
        """Let a new Envoy take over: of the binary that is there now, with the bootstrap as it would be now."""
        say("another envoy takes over")
        problem = await self._replaced(listening)
        if problem:
            say(f"the envoy that runs stays: {problem}")
        else:
            version, overlap = self.envoy.binary.version, self._config.overlap_seconds
            say(f"envoy {version} took over; the old one lives on for {overlap:g} s for connections that it has")
        self.say(problem=problem)

    def adopt(self, heritage: Heritage) -> None:
        """Go on with the Envoy of the program before."""
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
        try:
            binary = find_envoy(self._config.envoy_path)
        except UserError as absent:
            return str(absent)
        await self.prepare()
        if self.envoy.workers != threads:
            # Sockets are handed over thread by thread.
            self.envoy.use_workers(threads)
            say(f"another number of worker threads holds from the next start on; it stays {threads} until then")
        return await self.envoy.replace(binary, listening, _PATIENCE)
