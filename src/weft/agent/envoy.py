"""The sidecar's process: kept running, replaced without a lost connection, asked over its admin socket, ended."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from weft.agent.backoff import Backoff
from weft.agent.breakers import VARIABLE, make_file
from weft.agent.child import Child, adopted, describe, start_logging, tail
from weft.agent.hot_restart import Succession, kind_of
from weft.agent.http import HttpClient, Streams, Unanswered
from weft.agent.say import say, say_lines
from weft.kit.clock import Clock
from weft.kit.envoy_binary import EnvoyBinary
from weft.kit.tasks import tasks
from weft.model.reporting import PEER_VARIABLE

OVERLAP_SECONDS = 30.0
_KIND = re.compile(r'"hot_restart_version": "([^"]*)"')
_DRAIN = 10.0
_ADMIN_TIMEOUT = 2.0
_ASK_TIMEOUT = 5.0
_LARGEST_ANSWER = 64 * 1024 * 1024
_READY_POLL = 0.05
_PATIENCE = 10.0
_LARGEST_LOG = 4 * 1024 * 1024
_LOG_CHECK = 60.0
_GRACE = 2.0


class Envoy:
    """One Envoy, started again whenever it ends. ``overlap``: how long one that is replaced lives on, in seconds."""

    def __init__(
        self,
        binary: EnvoyBinary,
        bootstrap: Path,
        admin: Path,
        clock: Clock,
        workers: int = 1,
        *,
        overlap: float = OVERLAP_SECONDS,
    ) -> None:
        self.binary = binary
        self.workers = workers
        self._bootstrap = bootstrap
        self._drain_seconds = round(min(_DRAIN, overlap))
        self._succession = Succession(bootstrap.parent, admin.parent, overlap)
        self._log = bootstrap.with_name("envoy.log")
        self.breakers = bootstrap.with_name("breakers")
        self._admin_path = admin
        self._admin = HttpClient(self._connect, "admin", _ADMIN_TIMEOUT)
        self._backoff = Backoff(clock)
        self._child: Child | None = None
        self._leaving: Child | None = None
        self._peer = ""
        self.before_start: Callable[[], Awaitable[None]] = _nothing

    def say_peer(self, peer: str) -> None:
        """Tell callees this, for their metrics, from the next start on."""
        self._peer = peer

    def use_workers(self, workers: int) -> None:
        """Start with so many threads from now on."""
        self.workers = workers

    @property
    def epoch(self) -> int:
        """How many have taken over since one was started anew."""
        return self._succession.epoch

    @property
    def pid(self) -> int:
        """Of the newest process, 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    def adopt(self, pid: int, epoch: int) -> None:
        """Keep one that this process's former program started."""
        self._child = adopted(pid, lambda: tail(self._log))
        self._succession.epoch = epoch

    async def keep(self) -> None:
        """Run Envoy for ever."""
        while True:
            if self._child is None:
                await self.before_start()
                self._admin_path.unlink(missing_ok=True)
                command = self._command(self._succession.first())
                self._child = await start_logging(command, self._log, self._environment())
            self._backoff.started()
            code = await self._ended()
            pause = self._backoff.pause()
            say(f"envoy {describe(code)}, starting it again in {pause:g} s; it said last:")
            say_lines(self._child.last_lines())
            self._child = None
            await asyncio.sleep(pause)

    async def replace(self, binary: EnvoyBinary, sockets: frozenset[str], seconds: float) -> str:
        """Let a new process take over, of another binary or with what the bootstrap's file has now.

        Returns why it could not, "" when it did; the old one then goes on as if nobody had asked.
        """
        old = self._child
        if old is None:
            return "envoy is being started again just now"
        if (kind := await kind_of(binary)) != await self._kind() or not kind:
            return f"envoy {binary.version} cannot take over from {self.binary.version}: they share no hot restart"
        before, self.binary = self.binary, binary
        epoch = self._succession.epoch + 1
        new = await start_logging(self._command(self._succession.next(epoch)), self._log, self._environment())
        if problem := await self._takes_over(new, epoch, sockets, seconds):
            self.binary = before
            await new.stop(0)
            return problem
        self._succession.epoch = epoch
        self._child = new
        self._leaving = old
        return ""

    async def _takes_over(self, new: Child, epoch: int, sockets: frozenset[str], seconds: float) -> str:
        """Wait until it serves; why it does not."""
        async with tasks() as group:
            ending = group.start(new.wait(), "new envoy")
            serving = group.start(self._serves(epoch, sockets), "new envoy's listeners")
            await asyncio.wait({ending, serving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                return ""
            if ending.done():
                return f"the new envoy {describe(ending.result())}: {' '.join(new.last_lines()[-1:])[:300]}"
            return f"the new envoy was not ready within {seconds:g} s"

    async def _serves(self, epoch: int, sockets: frozenset[str]) -> None:
        while not await self._is_epoch(epoch) or await self._missing(sockets):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(_READY_POLL)

    async def _is_epoch(self, epoch: int) -> bool:
        try:
            return (await self.ask("/stats?filter=^server.hot_restart_epoch$")).split()[-1:] == [str(epoch)]
        except Unanswered:
            return False

    async def _kind(self) -> str:
        """What can take over from the one that runs, whatever its file is now; "" when it does not say."""
        try:
            found = _KIND.search(await self.ask("/server_info"))
        except Unanswered:
            return ""
        return found[1] if found else ""

    async def _ended(self) -> int:
        """The exit code of the newest process; those that were replaced end as they were told."""
        while True:
            child = self._child
            assert child is not None
            code = await child.wait()
            if child is self._child:
                if self._leaving is not None:
                    self._leaving.kill()
                    self._leaving = None
                return code

    async def watch_log(self) -> None:
        """Empty the log when it has grown: Envoy writes a line for each attempt to reach a lost control plane."""
        while True:
            await asyncio.sleep(_LOG_CHECK)
            if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
                os.truncate(self._log, 0)

    async def wait_ready(self, sockets: frozenset[str]) -> None:
        """Wait until Envoy serves and listens on each ``address:port``; say what is missing when it takes long."""
        loop = asyncio.get_running_loop()
        tell_at = loop.time() + _PATIENCE
        while missing := await self._missing(sockets):
            if loop.time() >= tell_at:
                say(f"the sidecar is not ready yet: {missing}")
                tell_at += _PATIENCE
            await asyncio.sleep(_READY_POLL)

    async def drain(self, *, inbound: bool = False) -> None:
        """Tell the clients of all listeners, or of those for peers, to go elsewhere; what is under way is finished."""
        only = "&inboundonly" if inbound else ""
        try:
            await self._admin.request("POST", f"/drain_listeners?graceful&skip_exit{only}")
        except Unanswered as silent:
            say(f"envoy could not be asked to drain: {silent}")

    async def connections(self, listeners: str = "gateway_") -> int:
        """How many clients are connected to listeners whose names begin so, 0 when it does not say."""
        try:
            query = f"/stats?filter=^listener%5C.{listeners}[^.]*%5C.downstream_cx_active$"
            answer = await self._admin.request("GET", query)
        except Unanswered:
            return 0
        counts = (line.rpartition(": ")[2] for line in answer.body.decode(errors="replace").splitlines())
        return sum(int(count) for count in counts if count.isdecimal())

    async def ask(self, path: str) -> str:
        """What the admin interface answers, however long it is. Raises ``Unanswered``."""
        return await self.asked("GET", path)

    async def asked(self, method: str, path: str) -> str:
        """The same of another method."""
        client = HttpClient(self._connect, "admin", _ASK_TIMEOUT, largest=_LARGEST_ANSWER)
        answer = await client.request(method, path)
        if answer.status != 200:
            raise Unanswered(answer.body.decode(errors="replace").strip().lower() or f"status {answer.status}")
        return answer.body.decode(errors="replace")

    async def stop(self) -> None:
        """End Envoy."""
        for child in (self._leaving, self._child):
            if child is not None:
                await child.stop(_GRACE)
        self._succession.forget()

    def kill(self) -> None:
        """End it at once."""
        for child in (self._leaving, self._child):
            if child is not None:
                child.kill()

    def _command(self, succession: tuple[str, ...]) -> tuple[str, ...]:
        return (
            str(self.binary.path),
            *("--config-path", str(self._bootstrap)),
            *("--concurrency", str(self.workers)),
            *("--log-level", "warning"),
            # A connection that an old policy let in is told to close with its next answer, not some time within 10 s.
            *("--drain-time-s", str(self._drain_seconds)),
            *("--drain-strategy", "immediate"),
            *succession,
        )

    async def _missing(self, sockets: frozenset[str]) -> str:
        """What is not there yet, empty when all is."""
        try:
            ready = await self._admin.request("GET", "/ready")
            if ready.status != 200:
                return f"envoy is {ready.body.decode(errors='replace').strip().lower() or 'starting'}"
            listeners = (await self._admin.request("GET", "/listeners")).body.decode(errors="replace")
        except Unanswered:
            return "envoy does not answer"
        present = {line.partition("::")[2].strip() for line in listeners.splitlines()}
        absent = sorted(sockets - present)
        return f"no listener for {', '.join(absent)}" if absent else ""

    def _environment(self) -> dict[str, str]:
        """With a new file for the circuit breakers, where there is room for one."""
        shared = {VARIABLE: str(self.breakers.absolute())} if make_file(self.breakers) else {}
        return _inherited() | shared | ({PEER_VARIABLE: self._peer} if self._peer else {})

    async def _connect(self) -> Streams:
        return await asyncio.open_unix_connection(self._admin_path)


async def _nothing() -> None:
    return


def _inherited() -> dict[str, str]:
    """Envoy needs nothing of ours; a proxy variable or a token does not belong there."""
    return {name: value for name in ("PATH", "TMPDIR", "TZ", "LANG") if (value := os.environ.get(name))}
