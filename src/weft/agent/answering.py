"""What an agent answers over HTTP about its workload: whether it is ready, and alive.

``/healthz/ready``: the sidecar serves, the application is well, and nothing drains; ``x-weft-stale`` tells since when
the last good configuration is used. ``/healthz/live``: the agent answers.
"""

import time
from collections.abc import Callable

from weft.agent.asked import serve_answers
from weft.agent.status import Said
from weft.kit.errors import UserError

_TIMEOUT = 5.0
_OK, _NOT, _UNKNOWN = "200 OK", "503 Service Unavailable", "404 Not Found"


class Answering:
    """Answers for one workload."""

    def __init__(self, said: Callable[[], Said], well: Callable[[], bool]) -> None:
        self._said = said
        self._well = well

    async def serve(self, address: str, port: int) -> None:
        """Answer until cancelled. Raises ``UserError`` when the port cannot be had."""
        taken = UserError(
            f"health cannot be answered on {address}:{port}", help="choose another --status-port, or 0 for none"
        )
        await serve_answers(self.answer, address, port, seconds=_TIMEOUT, kind="text/plain", taken=taken)

    async def answer(self, head: str) -> tuple[str, bytes]:
        """The status, with headers of its own, and the body."""
        path = head.split(" ", 2)[1].partition("?")[0] if head.count(" ") >= 2 else ""
        if path == "/healthz/live":
            return _OK, b"alive\n"
        if path == "/healthz/ready":
            return self._ready()
        return _UNKNOWN, b"ask for /healthz/ready or /healthz/live\n"

    def _ready(self) -> tuple[str, bytes]:
        said = self._said()
        stale = stale_header(said)
        if said.state != "ready":
            return _NOT + stale, f"the workload is {said.state}\n".encode()
        return (_OK + stale, b"ready\n") if self._well() else (_NOT + stale, b"the application is not well\n")


def stale_header(said: Said) -> str:
    """What follows a status: since when the configuration is an old one, "" where it is not."""
    return f"\r\nx-weft-stale: {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(said.stale))}" if said.stale else ""
