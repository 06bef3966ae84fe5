"""Where an application is: beside a sidecar, whose ways into the mesh its environment has, or anywhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

_environment: ContextVar[Mapping[str, str] | None] = ContextVar("weft_environment", default=None)


class Way(NamedTuple):
    """How a service is called: ``base`` is where to, ``host`` the ``Host`` to say instead, ``proxy`` through what."""

    base: str
    host: str = ""
    proxy: str = ""


def environment() -> Mapping[str, str]:
    """The environment of the application whose request is served; the process's where nobody says another."""
    found = _environment.get()
    return os.environ if found is None else found


@contextmanager
def placed(environment: Mapping[str, str]) -> Iterator[None]:
    """Several applications in one process, each beside a sidecar of its own: tests have that."""
    token = _environment.set(environment)
    try:
        yield
    finally:
        _environment.reset(token)


def way_to(host: str, port: int | None) -> Way:
    """The way to a service: its local port if it was asked for, else the sidecar's proxy, else its name."""
    known = environment()
    local = known.get(f"WEFT_UPSTREAM_{re.sub(r'[^A-Z0-9]', '_', host.upper())}", "")
    name = f"{host}:{port}" if port else host
    if local:
        return Way(base=f"http://{local}", host=name)
    proxy = known.get("http_proxy") or known.get("HTTP_PROXY") or ""
    return Way(base=f"http://{name}", proxy=proxy if "WEFT_WORKLOAD" in known else "")
