"""Tells the registry that the workload is there, how it is, and that it goes."""

import asyncio
from collections.abc import Callable

import msgspec

from weft.agent.config import AgentConfig
from weft.agent.health import Health
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.logs import Wanted
from weft.agent.ports import Plan
from weft.agent.say import say
from weft.kit.value import Value

_LAST_WORD_TIMEOUT = 3.0


class _Heard(Value):
    """What an answer to a heartbeat may have in it."""

    logs: tuple[Wanted, ...] = ()
    errand: bool = False


class Registrar:
    """Heartbeats with the whole registration, at once when health changes."""

    def __init__(self, config: AgentConfig, plan: Plan, health: Health, client: Callable[[], HttpClient]) -> None:
        self._config = config
        self._plan = plan
        self._health = health
        self._client = client
        self._registered = False
        self._draining = False
        self._gone = False
        self._told = ""
        self.on_asked: Callable[[tuple[Wanted, ...]], None] = lambda _: None
        """Told what logs somebody wants to read."""
        self.on_errand: Callable[[], None] = lambda: None
        """Called when the control plane has something to ask."""
        self._turn = asyncio.Lock()

    async def beat(self) -> None:
        """Register, then again and again until we have left; a control plane that is away is told when it is back.

        A drain may outlast the lease by far: whoever drains goes on to say so.
        """
        while not self._gone:
            async with self._turn:
                if not self._gone:
                    await self._tell()
            await self._health.changed(self._config.heartbeat_seconds if self._registered else 1.0)

    async def leave(self, *, drain: bool, seconds: float = _LAST_WORD_TIMEOUT) -> bool:
        """Ask peers to go elsewhere (``drain``), or be forgotten; gives up after ``seconds``, since a lease ends by
        itself. Whether the control plane heard it.

        A heartbeat that is under way is waited for: if it overtook the farewell, it would register us again.
        """
        self._draining = True
        self._gone = not drain
        request = ("PUT", self._body()) if drain else ("DELETE", b"")
        heard = False
        try:
            async with asyncio.timeout(seconds), self._turn:
                if not self._registered:
                    return False
                heard = (await self._client().request(request[0], self._path, request[1])).status < 300
        except (Unanswered, TimeoutError) as silent:
            reason = str(silent) or "no answer in time"
            then = "it will be, when it answers" if drain else "its lease will end"
            say(f"the control plane was not told that this workload leaves ({reason}); {then}")
        if not drain:
            self._registered = False
        return heard

    @property
    def _path(self) -> str:
        return f"/v1/workloads/{self._config.name}"

    async def _tell(self) -> None:
        try:
            answer = await self._client().request("PUT", self._path, self._body())
            self._hear(answer)
            problem = "" if answer.status == 200 else f"the control plane did not register this: {answer.reason}"
        except Unanswered as away:
            problem = f"the control plane does not answer ({away}); traffic goes on, trying on"
        if problem and problem != self._told:
            say(problem)
        elif self._told and not problem:
            say("the control plane answers again")
        elif not self._registered and not problem:
            say(f"{self._config.name} is registered for {self._config.service}")
        self._told = problem
        self._registered = self._registered or not problem

    def _hear(self, answer: Answer) -> None:
        """What the control plane says beside the lease."""
        try:
            heard = msgspec.json.decode(answer.body, type=_Heard) if answer.status == 200 else _Heard()
        except msgspec.MsgspecError:
            return
        if heard.logs:
            self.on_asked(heard.logs)
        if heard.errand:
            self.on_errand()

    def _flapping(self) -> dict[str, object]:
        """Said only while it is so: control planes of before did not know."""
        times, until = self._health.damped
        return {"flapping": True, "ill_times": times, "held_until": int(until)} if self._health.flapping else {}

    def _body(self) -> bytes:
        ports = [
            {
                "name": inlet.port.name,
                "port": inlet.port.port,
                "protocol": inlet.port.protocol,
                "bind_port": inlet.bind_port,
            }
            for inlet in self._plan.inlets
        ]
        config = self._config
        said = {
            "service": config.service,
            "version": config.version,
            "labels": dict(config.labels),
            "address": config.address,
            "ports": ports,
            "weight": config.weight,
            "locality": config.locality,
            "group": config.group,
            "healthy": self._health.well,
            "drain": self._draining,
            **self._flapping(),
            "meshed": config.gateway is None,
        }
        return msgspec.json.encode(said)
