"""Answers load balancers that ask whether a gateway shall get connections: 200, or 503 while it starts and drains."""

from weft.agent.asked import serve_answers
from weft.kit.errors import UserError

_TIMEOUT = 5.0


class Readiness:
    """What the gateway says of itself; ``ready`` is set by its supervisor."""

    def __init__(self) -> None:
        self.ready = False

    async def serve(self, address: str, port: int) -> None:
        """Answer any request on a port until cancelled. Raises ``UserError`` when the port cannot be had."""
        taken = UserError(
            f"the gateway cannot answer health checks on {address}:{port}",
            help="choose another --health-port, or 0 for none",
        )
        await serve_answers(self._answer, address, port, seconds=_TIMEOUT, kind="text/plain", taken=taken)

    async def _answer(self, _: str) -> tuple[str, bytes]:
        return ("200 OK", b"ready\n") if self.ready else ("503 Service Unavailable", b"not ready\n")
