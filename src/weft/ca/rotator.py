"""Replaces the root while the mesh goes on: goes to the next phase when everybody has followed into the present one.

Agents ask every so often whether they need a new certificate, naming what they hold. Who asked lately is here; who did
not is away, and is protected by time: without ``eager`` the old root is believed until every certificate that it signed
has ended.
"""

import asyncio
from collections.abc import Callable

import structlog

from weft.ca.roots import Phase
from weft.ca.signer import Signer
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.identity import Identity

ASK_SECONDS = 20.0
"""How often an agent asks, give or take a fifth."""
_LOOK_SECONDS = 1.0
_MOST_HOLDERS = 100_000
_log = structlog.get_logger()


class Holder(Value):
    """A workload that asked lately, by identity and name, and the tag that it holds.

    ``expires`` is the end of its certificate in seconds since the epoch, 0 where it did not say.
    """

    identity: Identity
    name: str
    tag: str
    seen: float
    expires: float = 0.0


class Rotator:
    """Owned by one event loop. ``changed`` is called whenever the authority signs or is believed differently."""

    def __init__(
        self, authority: Signer, clock: Clock, changed: Callable[[], None], ask_seconds: float = ASK_SECONDS
    ) -> None:
        self.ask_seconds = ask_seconds
        self._authority = authority
        self._clock = clock
        self._changed = changed
        self._holders: dict[tuple[str, str], Holder] = {}
        self._entered = clock.monotonic()

    def asked(self, identity: Identity, name: str, tag: str, expires: float = 0.0) -> None:
        """A workload said which tag it holds."""
        key = (identity.uri, name)
        if key in self._holders or len(self._holders) < _MOST_HOLDERS:
            seen = self._clock.monotonic()
            self._holders[key] = Holder(identity=identity, name=name, tag=tag, seen=seen, expires=expires)

    def behind(self) -> tuple[Holder, ...]:
        """Those who are there and have not followed into the present phase."""
        return tuple(holder for holder in self.present() if holder.tag != self._authority.tag)

    def present(self) -> tuple[Holder, ...]:
        """Those who asked lately."""
        oldest = self._clock.monotonic() - 3 * self.ask_seconds
        self._holders = {key: holder for key, holder in self._holders.items() if holder.seen >= oldest}
        return tuple(self._holders.values())

    def begin(self, *, eager: bool) -> None:
        """Begin to replace the root. Raises ``UserError``."""
        self._authority.begin_rotation(eager=eager)
        self._enter()

    def abort(self) -> None:
        """Take it back. Raises ``UserError``."""
        self._authority.abort_rotation()
        self._enter()

    def drop(self) -> None:
        """Drop the old root without waiting for what may still hold certificates of it. Raises ``UserError``."""
        if self._authority.rotation.phase is not Phase.SIGN:
            raise UserError("the next root does not sign yet", help="see weft ca status")
        self._authority.finish_rotation()
        self._enter()

    async def run(self) -> None:
        """Go on when it is time, for ever."""
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, self.ask_seconds))
            self.step()

    def step(self) -> None:
        """Go to the next phase if everybody has followed into the present one."""
        if self._clock.monotonic() - self._entered < 1.5 * self.ask_seconds or self.behind():
            return
        match self._authority.rotation.phase:
            case Phase.DISTRIBUTE:
                self._authority.switch_signer()
            case Phase.SIGN if self._outlived():
                self._authority.finish_rotation()
            case Phase.REVERT if self._outlived():
                self._authority.forget_rotation()
            case _:
                return
        self._enter()

    def _outlived(self) -> bool:
        """Whether no certificate that was signed before this phase can be in use any more."""
        rotation = self._authority.rotation
        return rotation.eager or self._clock.now() >= rotation.since + self._authority.lifetime

    def _enter(self) -> None:
        self._entered = self._clock.monotonic()
        _log.info("the root is being replaced", phase=self._authority.rotation.phase.value, tag=self._authority.tag)
        self._changed()
