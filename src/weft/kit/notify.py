"""Telling a service manager how far we are (``sd_notify(3)``); nothing happens where there is none."""

import asyncio
import os
import socket
from collections.abc import Mapping

OWN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What is for us and not for what we start."""
_AT_A_TIME = 4096


def notify(*states: str) -> None:
    """Send ``READY=1``, ``STATUS=...``, ``STOPPING=1`` and the like to ``$NOTIFY_SOCKET``, in one message.

    A manager that has gone is no reason to end: what it does not hear, it learns from the process.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    said = "\n".join(state.replace("\n", " ") for state in states)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(said.encode()[:_AT_A_TIME], "\0" + address[1:] if address[0] == "@" else address)
        except OSError:
            return


def watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the manager wants to hear of us: half the time after which it would think that we hang."""
    said, of = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not (said.isascii() and said.isdecimal()) or int(said) == 0 or of not in ("", str(os.getpid())):
        return None
    return int(said) / 2_000_000


async def watchdog() -> None:
    """Say for ever that the event loop turns; returns at once where nobody watches."""
    seconds = watchdog_seconds(os.environ)
    while seconds is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)
