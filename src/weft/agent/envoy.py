"""The sidecar's process: kept running, asked over its admin socket, drained and ended."""

import asyncio
import os
from pathlib import Path

from weft.agent.backoff import Backoff
from weft.agent.breakers import VARIABLE, make_file
from weft.agent.child import Child, describe, start_logging
from weft.agent.http import HttpClient, Streams, Unanswered
from weft.agent.say import say, say_lines
from weft.kit.clock import Clock
from weft.kit.envoy_binary import EnvoyBinary
from weft.model.reporting import PEER_VARIABLE

_ADMIN_TIMEOUT = 2.0
_ASK_TIMEOUT = 5.0
_LARGEST_ANSWER = 64 * 1024 * 1024
_READY_POLL = 0.05
_PATIENCE = 10.0
_LARGEST_LOG = 4 * 1024 * 1024
_LOG_CHECK = 60.0
_GRACE = 2.0


class Envoy:
    """One Envoy, started again whenever it ends."""

    def __init__(self, binary: EnvoyBinary, bootstrap: Path, admin: Path, clock: Clock, workers: int = 1) -> None:
        self._command: tuple[str, ...] = (
            str(binary.path),
            *("--config-path", str(bootstrap)),
            *("--concurrency", str(workers)),
            *("--log-level", "warning"),
            # A connection that an old policy let in is told to close with its next answer, not some time within 10 s.
            *("--drain-time-s", "10"),
            *("--drain-strategy", "immediate"),
            "--disable-hot-restart",
        )
        self._log = bootstrap.with_name("envoy.log")
        self.breakers = bootstrap.with_name("breakers")
        self._admin_path = admin
        self._admin = HttpClient(self._connect, "admin", _ADMIN_TIMEOUT)
        self._backoff = Backoff(clock)
        self._child: Child | None = None
        self._peer = ""

    def say_peer(self, peer: str) -> None:
        """Tell callees this, for their metrics, from the next start on."""
        self._peer = peer

    def use_workers(self, workers: int) -> None:
        """Start with so many threads from now on."""
        at = self._command.index("--concurrency") + 1
        self._command = (*self._command[:at], str(workers), *self._command[at + 1 :])

    async def keep(self) -> None:
        """Run Envoy for ever."""
        while True:
            self._admin_path.unlink(missing_ok=True)
            self._child = await start_logging(self._command, self._log, self._environment())
            self._backoff.started()
            code = await self._child.wait()
            pause = self._backoff.pause()
            say(f"envoy {describe(code)}, starting it again in {pause:g} s; it said last:")
            say_lines(self._child.last_lines())
            await asyncio.sleep(pause)

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
        client = HttpClient(self._connect, "admin", _ASK_TIMEOUT, largest=_LARGEST_ANSWER)
        answer = await client.request("GET", path)
        if answer.status != 200:
            raise Unanswered(answer.body.decode(errors="replace").strip().lower() or f"status {answer.status}")
        return answer.body.decode(errors="replace")

    async def stop(self) -> None:
        """End Envoy."""
        if self._child is not None:
            await self._child.stop(_GRACE)

    def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            self._child.kill()

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


def _inherited() -> dict[str, str]:
    """Envoy needs nothing of ours; a proxy variable or a token does not belong there."""
    return {name: value for name in ("PATH", "TMPDIR", "TZ", "LANG") if (value := os.environ.get(name))}
