"""Answers kubelets in the application's place: it listens where only its own host reaches it.

``weft inject`` turns the probes of containers into ones of ``/app-health/<container>/<which>`` on the agent's port, as
Istio does; what they were is what is asked here, on 127.0.0.1.
"""

from collections.abc import Sequence

import msgspec

from weft.agent.asked import serve_answers
from weft.agent.config import AppProbe
from weft.agent.group import probe_of
from weft.agent.probe import is_well
from weft.kit.errors import UserError

PORT = 15021
VARIABLE = "WEFT_APP_PROBES"
_LONGEST = 60.0


def parse_app_probes(text: str) -> tuple[AppProbe, ...]:
    """Read ``{"/app-health/web/readyz": {"httpGet": {"port": 8080, "path": "/ok"}}}``. Raises ``UserError``."""
    help_ = f"{VARIABLE} is what weft inject wrote: probes in Kubernetes' words, by their paths"
    try:
        said = msgspec.json.decode(text, type=dict[str, dict[str, object]])
    except msgspec.MsgspecError as wrong:
        raise UserError(f"the application's probes cannot be read ({wrong})", help=help_) from wrong
    found = ((path, probe_of(probe)) for path, probe in said.items())
    return tuple(AppProbe(path=path, probe=probe) for path, probe in found if probe is not None)


async def serve_app_probes(probes: Sequence[AppProbe], address: str) -> None:
    """Answer until cancelled: 200 for an application that is well, 503 for one that is not. Raises ``UserError``."""
    known = {one.path: one.probe for one in probes}

    async def answer(head: str) -> tuple[str, bytes]:
        probe = known.get(_path(head))
        if probe is None:
            return "404 Not Found", b"there is no such probe\n"
        well = await is_well(probe, probe.port, {})
        return ("200 OK", b"well\n") if well else ("503 Service Unavailable", b"not well\n")

    taken = UserError(
        f"kubelets cannot be answered on {address}:{PORT}", help="nothing else of the pod may use the port"
    )
    await serve_answers(answer, address, PORT, seconds=_LONGEST, kind="text/plain", taken=taken)


def _path(head: str) -> str:
    words = head.partition("\r\n")[0].split(" ")
    return words[1].partition("?")[0] if len(words) == 3 else ""
