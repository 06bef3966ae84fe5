"""Looks after what signs: intermediates that are due, files that changed, tokens of Vault that end."""

import asyncio
from collections.abc import Callable

import structlog

from weft.ca.signer import Signer, SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import UserError

_LOOK_SECONDS = 5.0
_SAID_AGAIN = 3600.0
_log = structlog.get_logger()


async def keep(signer: Signer, changed: Callable[[], None], clock: Clock) -> None:
    """Look now and then, for ever; ``changed`` is called when listeners have something new to show or believe.

    What fails is said once, and once an hour as long as it goes on failing in the same way.
    """
    said, said_at = "", 0.0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            if await signer.look():
                _log.info("what signs or is believed has changed", signer=signer.kind, tag=signer.tag)
                changed()
            said = ""
        except (SignerAway, UserError) as wrong:
            if str(wrong) != said or clock.monotonic() >= said_at + _SAID_AGAIN:
                _log.warning("the certificate authority needs attention", signer=signer.kind, reason=str(wrong))
                said, said_at = str(wrong), clock.monotonic()
