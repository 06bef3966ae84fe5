"""One question to the application: are you well?"""

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import Callable

from weft.agent.config import Probe, ProbeKind
from weft.agent.dialing import dial
from weft.agent.grpc_probe import serves
from weft.agent.http import HttpClient, Unanswered
from weft.kit.errors import PeerError

_HOST = "127.0.0.1"


async def is_well(
    probe: Probe, port: int, environment: dict[str, str], mark: int = 0, admit: Callable[[], None] | None = None
) -> bool:
    """Whether the application answers as it should within the probe's timeout; never raises.

    ``mark`` is on the connections, ``admit`` is called in a command's process: so its sidecar is gone round.
    """
    try:
        async with asyncio.timeout(probe.timeout):
            if probe.kind is ProbeKind.COMMAND:
                return await _run(probe.target, environment, admit)
            return await _ask(probe, port, mark)
    except (OSError, TimeoutError, Unanswered, PeerError, subprocess.SubprocessError):
        return False


async def _ask(probe: Probe, port: int, mark: int) -> bool:
    match probe.kind:
        case ProbeKind.HTTP:
            return 200 <= (await _client(probe, port, mark).request("GET", probe.target)).status < 400
        case ProbeKind.TCP:
            _, writer = await dial(probe.host, port, mark)
            writer.close()
            return True
        case ProbeKind.GRPC:
            return await serves(_HOST, port, probe.target, mark)
        case _:
            return True


def _client(probe: Probe, port: int, mark: int) -> HttpClient:
    """A ``Host`` among the headers is asked for instead of the address."""
    named = {name.lower(): value for name, value in probe.headers}.get("host", f"{probe.host}:{port}")
    rest = tuple((name, value) for name, value in probe.headers if name.lower() != "host")
    tls = _any_certificate() if probe.tls else None
    return HttpClient(lambda: dial(probe.host, port, mark, tls), named, probe.timeout, headers=rest)


def _any_certificate() -> ssl.SSLContext:
    """The application at the agent's side, asked for its health, proves nothing by a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _run(command: str, environment: dict[str, str], admit: Callable[[], None] | None) -> bool:
    """Whether a shell command succeeds; it and what it started are ended with the question."""
    nowhere = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", command),
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        env=environment,
        process_group=0,
        preexec_fn=admit,
    )
    try:
        return await child.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
