"""Does what the control plane asks for: questions to this host's Envoy, and whatever else the agent offers.

What may be asked is decided here: Envoy's admin interface answers what only shows, and changes of log levels. The
control plane decides who may ask, and writes it into its audit log.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

import msgspec

from weft.agent.http import HttpClient, Unanswered
from weft.agent.say import say
from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value

_PAUSE = 1.0
_SHOWN = re.compile(
    r"/(?:server_info|stats(?:/prometheus)?|clusters|listeners|config_dump|memory|certs|runtime|ready|logging)"
    r"(?:\?[\w.=&%*^$|~:/-]*)?"
)
_LEVEL = re.compile(r"trace|debug|info|warning|error|critical|off")
_LOGGER = re.compile(r"[a-z0-9_]{1,64}")

Arguments = Mapping[str, str]
Doing = Callable[[Arguments], Awaitable[bytes]]
"""Does one kind of errand. Raises ``UserError`` when it will not, ``Unanswered`` when it cannot."""
Ask = Callable[[str, str], Awaitable[str]]
"""Envoy's admin interface: method, path, what it answers. Raises ``Unanswered``."""


class _Errand(Value):
    id: str
    kind: str
    arguments: Mapping[str, str] = {}


class Errands:
    """Sleeps until a heartbeat says that something waits; then does it, and what comes soon after."""

    def __init__(self, name: str, client: Callable[[], HttpClient], kinds: Mapping[str, Doing]) -> None:
        """``client`` makes a connection of its own, for errands are waited for."""
        self._path = f"/v1/workloads/{quote(name, safe='')}/errands"
        self._client = client
        self._kinds = kinds
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Say that something waits."""
        self._wanted.set()

    async def run(self) -> None:
        """Do errands until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            client = self._client()
            try:
                while (errand := await self._next(client)) is not None:
                    await self._do(client, errand)
            except (Unanswered, msgspec.MsgspecError) as away:
                say(f"an errand of the control plane is left undone: {away}")
                await asyncio.sleep(_PAUSE)
            finally:
                client.close()

    async def _next(self, client: HttpClient) -> _Errand | None:
        answer = await client.request("GET", self._path)
        return msgspec.json.decode(answer.body, type=_Errand) if answer.status == 200 else None

    async def _do(self, client: HttpClient, errand: _Errand) -> None:
        doing = self._kinds.get(errand.kind)
        try:
            if doing is None:
                raise UserError(f"this agent does not know the errand {errand.kind}; it may be older")
            failed, body = "", await doing(errand.arguments)
        except (UserError, Unanswered) as refused:
            failed, body = "?failed", _words(refused).encode()
        await client.request("PUT", f"/v1/errands/{errand.id}{failed}", body)


def envoy_errands(ask: Ask) -> dict[str, Doing]:
    """What can be asked of Envoy."""

    async def shown(arguments: Arguments) -> bytes:
        path = arguments.get("path", "")
        if not _SHOWN.fullmatch(path) or path.startswith("/logging?"):
            raise UserError(f"envoy is not asked for {path!r} from afar")
        return (await ask("POST" if path == "/logging" else "GET", path)).encode()

    async def log_levels(arguments: Arguments) -> bytes:
        """Levels by the names of loggers; "" is all of them."""
        for logger, level in arguments.items():
            if not _LEVEL.fullmatch(level) or (logger and not _LOGGER.fullmatch(logger)):
                raise UserError(f"{logger or 'level'}={level} is no level of envoy's")
        if "" in arguments:
            await ask("POST", f"/logging?level={arguments['']}")
        for logger, level in arguments.items():
            if logger:
                await ask("POST", f"/logging?{logger}={level}")
        return (await ask("POST", "/logging")).encode()

    return {"envoy": shown, "log-levels": log_levels}


def _words(refused: WeftError) -> str:
    return str(refused.message if isinstance(refused, UserError) else refused) or "it cannot be done"
