"""The control plane of a test's mesh: that of ``weft up``, without the command line."""

import asyncio
import signal
import sys
from pathlib import Path

from weft.kit.logs import load as load_logs
from weft.kit.logs import set_up_logs

load_logs("json")  # before anything else does: without what draws on terminals

from weft.app.control_plane import Addresses, Config, ControlPlane  # noqa: E402
from weft.cli.mesh_config import settings_in  # noqa: E402
from weft.kit.errors import UserError  # noqa: E402
from weft.kit.state_dir import StateDir  # noqa: E402
from weft.testing.calls import MESH_CONFIG  # noqa: E402


def load() -> None:
    """Nothing beyond the imports."""


def main(arguments: list[str]) -> int:
    """Serve the state directory that is named, on free ports, until SIGTERM."""
    set_up_logs("json")
    try:
        asyncio.run(_run(Path(arguments[0])))
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)  # noqa: T201  the log is all that there is
        return mistake.exit_code
    return 0


async def _run(state: Path) -> None:
    settings = settings_in(state / MESH_CONFIG)
    config = Config(
        state=StateDir(root=state),
        api_port=0,
        xds_port=0,
        agent_port=0,
        trust_domain=settings.trust_domain,
        mesh=settings,
    )
    plane = ControlPlane(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, plane.stop)
    await plane.run(_nothing)


def _nothing(_: Addresses) -> None:
    """The addresses are in the state directory, for whoever waits for them."""
