"""The application: what it finds in its environment, and when it is started again."""

import asyncio
import os
from collections.abc import Callable

from weft.agent.backoff import Backoff
from weft.agent.child import Child, Keep, adopted_application, describe, start_application
from weft.agent.config import AgentConfig, Restart
from weft.agent.notify import OWN
from weft.agent.ports import Plan
from weft.agent.say import say, say_lines
from weft.agent.spans import with_endpoint
from weft.agent.trace_headers import with_trace_headers
from weft.kit.clock import Clock

_LOCAL = ("localhost", "127.0.0.1", "::1")


class Application:
    """The user's command; ``on_end`` is called whenever it ended, ``admit`` in its process before it begins,
    ``keep`` with what it says."""

    def __init__(
        self,
        config: AgentConfig,
        environment: dict[str, str],
        clock: Clock,
        on_end: Callable[[], None],
        admit: Callable[[], None] | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._config = config
        self._environment = environment
        self._backoff = Backoff(clock)
        self._on_end = on_end
        self._child: Child | None = None
        self._stopping = False
        self._admit = admit
        self._keep = keep

    async def run(self) -> int:
        """Run it, as often as the policy says, and return its last exit code, 128 + n for signal n."""
        while True:
            if self._child is None:
                self._child = await self._start()
            self._backoff.started()
            code = await self._child.wait()
            if not self._stopping:
                self._on_end()
                self._report(code)
            if self._stopping or not _again(self._config.restart, code):
                return code if code >= 0 else 128 - code
            self._child = None
            await asyncio.sleep(self._backoff.pause())

    async def _start(self) -> Child:
        config = self._config
        return await start_application(
            config.command, self._environment, self._admit, self._keep, output=config.keep_output
        )

    def adopt(self, pid: int, stderr: int, stdout: int) -> None:
        """Keep one that this process's former program started."""
        self._child = adopted_application(pid, stderr, stdout, self._keep)

    def freeze(self) -> tuple[int, int, int]:
        """Its process and the open files of its stderr and stdout, which are copied no more; (0, -1, -1) while there
        is none."""
        return (self._child.pid, *self._child.freeze()) if self._child is not None else (0, -1, -1)

    async def stop(self) -> None:
        """SIGTERM, a while, SIGKILL to all that it started."""
        self._stopping = True
        if self._child is not None:
            await self._child.stop(self._config.stop_seconds)

    def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            self._child.kill()

    def _report(self, code: int) -> None:
        name = os.path.basename(self._config.command[0])
        if code == 0:
            say(f"{name} {describe(code)}")
            return
        assert self._child is not None
        lines = self._child.last_lines()
        say(f"{name} {describe(code)}{'; it said last:' if lines else ''}")
        say_lines(lines)


def environment_of(config: AgentConfig, plan: Plan, inherited: dict[str, str]) -> dict[str, str]:
    """The application's environment: the ports to listen on and the ways into the mesh."""
    own = {name: value for name, value in inherited.items() if name not in OWN}
    environment = own | {"WEFT_SERVICE": config.service, "WEFT_WORKLOAD": config.name}
    if plan.inlets:
        environment["PORT"] = str(plan.inlets[0].own_port)
    for inlet in plan.inlets:
        variable = inlet.port.key.upper().replace("-", "_")
        environment[f"WEFT_PORT_{variable}"] = str(inlet.own_port)
    for outlet in plan.outlets:
        environment[outlet.upstream.variable] = f"127.0.0.1:{outlet.bind_port}"
    if plan.dns:
        environment["WEFT_DNS"] = f"127.0.0.1:{plan.dns}"
    if plan.http_proxy:
        environment |= _proxies(plan.http_proxy, inherited)
    if plan.spans:
        environment = with_endpoint(environment, plan.spans, config.service)
    return with_trace_headers(environment)


def _proxies(port: int, inherited: dict[str, str]) -> dict[str, str]:
    """The proxy, and what must not go through it: local upstream ports are the way into the mesh already."""
    proxy = f"http://127.0.0.1:{port}"
    own = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    exempt = ",".join(dict.fromkeys([*(name.strip() for name in own.split(",") if name.strip()), *_LOCAL]))
    return {"HTTP_PROXY": proxy, "http_proxy": proxy, "NO_PROXY": exempt, "no_proxy": exempt}


def _again(policy: Restart, code: int) -> bool:
    return policy is Restart.ALWAYS or (policy is Restart.ON_FAILURE and code != 0)
