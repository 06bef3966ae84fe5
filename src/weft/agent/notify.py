"""What the agent tells a service manager: a workload is ready when its application is well, not when it was started."""

import time

from weft.kit.notify import OWN, notify, watchdog

__all__ = ["OWN", "ready", "reloaded", "reloading", "starting", "stopping", "watchdog"]

_said: list[str] = []
"""With what the manager was told that this process is ready, if it was."""


def starting(what: str) -> None:
    """What is waited for."""
    notify(f"STATUS={what}")


def ready(what: str) -> None:
    """From now on it serves."""
    _said[:] = [what]
    notify("READY=1", f"STATUS={what}")


def reloading(what: str) -> None:
    """Programs are replaced by newer ones, until ``reloaded`` or, by the next program, ``ready``; one that has not
    been ready yet still starts."""
    if _said:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", f"STATUS={what}")


def reloaded() -> None:
    """It serves as before."""
    for what in _said:
        notify("READY=1", f"STATUS={what}")


def stopping(what: str, seconds: float) -> None:
    """It was asked to end, and drains: it may take so long, whatever the unit says."""
    notify("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}", f"STATUS={what}")
