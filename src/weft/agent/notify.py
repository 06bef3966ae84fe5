"""What the agent tells a service manager: a workload is ready when its application is well, not when it was started."""

from weft.kit.notify import OWN, notify, watchdog

__all__ = ["OWN", "ready", "starting", "stopping", "watchdog"]


def starting(what: str) -> None:
    """What is waited for."""
    notify(f"STATUS={what}")


def ready(what: str) -> None:
    """From now on it serves."""
    notify("READY=1", f"STATUS={what}")


def stopping(what: str) -> None:
    """It was asked to end, and drains."""
    notify("STOPPING=1", f"STATUS={what}")
