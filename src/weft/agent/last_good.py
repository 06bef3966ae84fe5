"""The proxy's last good configuration on this host: with it, it starts again while the control plane is away.

It is what the proxy acknowledged, as the control plane told us; no key is in it, so a proxy that starts with it refuses
the connections that need one of the control plane's keys. It fits only the very ports that it
was made for, so these are kept with it, and an agent that starts again takes them again. Who the workload is comes from
its certificate as always: one that has ended starts nothing.
"""

import asyncio
import hashlib
import random
from pathlib import Path

import msgspec

from weft.agent.config import AgentConfig, Probe
from weft.agent.http import Unanswered
from weft.agent.identity import IdentityKeeper
from weft.agent.ports import Plan
from weft.agent.say import say
from weft.kit.clock import Clock
from weft.kit.files import write_whole
from weft.kit.value import Value

_FIRST, _AGAIN = 1.0, 20.0
_HEADER, _BODY = "last-good.json", "last-good.pb"


class Kept(Value):
    """What is known of a body. ``introduction`` is the proxy's when it took it, ``own`` its bootstrap as the agent made
    it and ``started`` the one it was started with; ``since`` is when it was fetched, in seconds since the epoch."""

    introduction: str
    plan: Plan
    digest: str = ""
    since: float = 0.0
    own: str = ""
    started: str = ""
    concurrency: int | None = None
    probe: Probe | None = None


class LastGood:
    """What is kept in one workload's directory."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._header = directory / _HEADER
        self._body = directory / _BODY
        self._clock = clock
        self.kept = self._read()

    def plan(self) -> Plan | None:
        """The ports of the run before."""
        return self.kept.plan if self.kept is not None else None

    def fits(self, introduction: str) -> Kept | None:
        """What is kept for a proxy that says this of itself, if it is whole."""
        kept = self.kept
        if kept is None or not kept.since or kept.introduction != introduction:
            return None
        return kept if _digest(self.body()) == kept.digest else None

    def body(self) -> bytes:
        """The resources, as one answer of the incremental protocol; empty when they cannot be read."""
        try:
            return self._body.read_bytes()
        except OSError:
            return b""

    def begin(self, kept: Kept) -> None:
        """From now on the proxy is this one; what was fetched for the same introduction stays."""
        before = self.fits(kept.introduction)
        if before is not None:
            kept = msgspec.structs.replace(kept, digest=before.digest, since=before.since)
        self._write(kept)

    def keep(self, body: bytes) -> None:
        """This is what the proxy uses now."""
        if self.kept is None:
            return
        try:
            write_whole(self._body, body)
        except OSError:
            return
        self._write(msgspec.structs.replace(self.kept, digest=_digest(body), since=self._clock.now()))

    def _write(self, kept: Kept) -> None:
        self.kept = kept
        try:
            write_whole(self._header, msgspec.json.encode(kept, enc_hook=str))
        except OSError as full:
            say(f"the last good configuration cannot be kept ({(full.strerror or str(full)).lower()})")

    def _read(self) -> Kept | None:
        try:
            return msgspec.json.decode(self._header.read_bytes(), type=Kept, dec_hook=lambda _, text: Path(text))
        except (OSError, msgspec.MsgspecError):
            return None


class Fetching:
    """Asks the control plane now and then what the proxy uses."""

    def __init__(self, config: AgentConfig, last: LastGood, identity: IdentityKeeper, chance: random.Random) -> None:
        self._config = config
        self._last = last
        self._identity = identity
        self._chance = chance
        self._known = ""

    async def run(self) -> None:
        """For ever; a control plane that is away, or older than the question, changes nothing."""
        pause = _FIRST
        while True:
            await asyncio.sleep(pause * self._chance.uniform(0.8, 1.2))
            try:
                pause = _AGAIN if await self._fetch() else _FIRST
            except Unanswered:
                pause = _AGAIN / 4

    async def _fetch(self) -> bool:
        """Whether the next time can wait."""
        node = f"{self._config.name}.{self._identity.current.issued.namespace}"
        answer = await self._identity.client.request("GET", f"/v1/last-good/{node}?known={self._known}")
        if answer.status == 200:
            self._last.keep(answer.body)
            self._known = answer.etag
        return answer.status != 204


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
