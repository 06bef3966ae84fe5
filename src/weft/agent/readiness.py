"""Answers load balancers that ask whether a gateway shall get connections: 200, or 503 while it starts and drains.

``x-weft-stale`` tells since when it uses its last good configuration.
"""

from collections.abc import Callable

from weft.agent.answering import stale_header
from weft.agent.asked import serve_answers
from weft.agent.status import Said
from weft.kit.errors import UserError

_TIMEOUT = 5.0


class Readiness:
    """What the gateway says of itself; ``ready`` is set by its supervisor."""

    def __init__(self, said: Callable[[], Said]) -> None:
        self.ready = False
        self._said = said

    async def serve(self, address: str, port: int) -> None:
        """Answer any request on a port until cancelled. Raises ``UserError`` when the port cannot be had."""
        taken = UserError(
            f"the gateway cannot answer health checks on {address}:{port}",
            help="choose another --health-port, or 0 for none",
        )
        await serve_answers(self._answer, address, port, seconds=_TIMEOUT, kind="text/plain", taken=taken)

    async def _answer(self, _: str) -> tuple[str, bytes]:
        stale = stale_header(self._said())
        return ("200 OK" + stale, b"ready\n") if self.ready else ("503 Service Unavailable" + stale, b"not ready\n")
