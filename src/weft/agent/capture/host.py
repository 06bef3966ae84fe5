"""Asking the host's tools: nft and iptables, and who runs."""

import asyncio
import os
import shutil
from pathlib import Path

from weft.kit.errors import UserError
from weft.kit.value import Value

_ENDED = ("Z", "X")
_TIMEOUT = 10.0
_PLACES = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/local/sbin"))


class Said(Value):
    """How a tool ended and what it said."""

    code: int
    out: str
    err: str


def tool(name: str) -> str:
    """The path of a tool, "" where it is not installed; administrators' directories are searched too."""
    return shutil.which(name) or shutil.which(name, path=_PLACES) or ""


async def run(command: tuple[str, ...], text: str = "") -> Said:
    """Run a tool to its end. Raises ``UserError`` when it cannot be run or does not end."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment()
        )
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"{command[0]} cannot be run ({reason})", help="install it") from refused
    try:
        async with asyncio.timeout(_TIMEOUT):
            out, err = await process.communicate(text.encode())
    except TimeoutError as slow:
        process.kill()
        await process.wait()
        raise UserError(f"{command[0]} does not end", help="try again") from slow
    return Said(code=process.returncode or 0, out=out.decode(errors="replace"), err=err.decode(errors="replace"))


def families(address: str) -> tuple[str, ...]:
    """The workload's address, and one of the other family where this host speaks it: both can be captured."""
    other = "127.0.0.1" if ":" in address else "::1"
    return (address, other) if other == "127.0.0.1" or has_ipv6() else (address,)


def has_ipv6() -> bool:
    """Whether this host, in this network namespace, has any address of IPv6."""
    try:
        return bool(Path("/proc/net/if_inet6").read_text().strip())
    except OSError:
        return False


def network_namespace() -> str:
    """The name that the kernel gives the network namespace we are in."""
    return os.readlink("/proc/self/ns/net")


def started(pid: int) -> int:
    """When a process started, in ticks since the host did: numbers alone are used again.

    0 when there is none, or one that has ended and that nobody has asked about yet (a zombie).
    """
    try:
        state, *said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if state in _ENDED else int(said[18])
    except (OSError, ValueError, IndexError):
        return 0


def has_capability(number: int) -> bool:
    """Whether this process has a capability (``capabilities(7)``)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin") + os.pathsep + _PLACES, "LC_ALL": "C"}
