"""What every process of the shop shares, whatever its protocol: its name, its log, its port, its end."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

DRAIN_SECONDS = 5  # what requests under way get after SIGTERM


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who answers: the service, its version, and this one process (INSTANCE, or the process id)."""

    service: str
    version: str
    instance: str

    def __str__(self) -> str:
        return f"{self.service}-{self.version}-{self.instance}"


def identity_of(service: str) -> Identity:
    version = os.environ.get("VERSION") or "v1"
    return Identity(service=service, version=version, instance=os.environ.get("INSTANCE") or str(os.getpid()))


def log(who: object, event: str, **values: object) -> None:
    """One event, one line, on stderr."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    detail = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in values.items())
    print(f"{stamp} {who} {event}{detail}", file=sys.stderr, flush=True)


def bind(default_port: int) -> socket.socket:
    """The socket at HOST:PORT. Without SO_REUSEPORT: a second instance there is an error, not a surprise."""
    host, port = os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or default_port)
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        sys.exit(
            f"error: cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}\nhelp: set PORT to a free port"
        )


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{host}:{port}"


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; the process then ends by itself, with code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
