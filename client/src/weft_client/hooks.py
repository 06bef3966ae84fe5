"""Patches of servers and clients, each made when the application imports what it is for, and never before.

A patch that fails (a library of a version nobody knew) leaves the library as it was: an application never breaks
because of its trace headers.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

PATCHES = {
    "uvicorn.config": "servers",
    "hypercorn.app_wrappers": "servers",
    "gunicorn.http.wsgi": "servers",
    "waitress.task": "servers",
    "wsgiref.handlers": "servers",
    "werkzeug.serving": "servers",
    "http.server": "servers",
    "aiohttp.web_app": "servers",
    "aiohttp.client": "clients",
    "httpx": "clients",
    "httpx2": "clients",
    "requests.sessions": "clients",
    "urllib.request": "clients",
    "grpc": "rpc",
    "grpc.aio": "rpc",
}
"""What is patched, and by which module of ``weft_client.patches``."""


def install() -> None:
    """Patch what is imported already, and the rest when it is. Calling it again changes nothing."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name in PATCHES:
        if name in sys.modules:
            apply(sys.modules[name])


def apply(module: ModuleType) -> None:
    """Patch one module, once."""
    if getattr(module, "__weft_client__", False):
        return
    try:
        patches = importlib.import_module(f"weft_client.patches.{PATCHES[module.__name__]}")
        patches.patch(module)
        module.__weft_client__ = True  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001, S110 - the application goes on without its trace headers
        pass


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what is to be patched as everybody else would, and patches it when it has been loaded."""

    def __init__(self) -> None:
        self._searching: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in PATCHES or name in self._searching:
            return None
        self._searching.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching.discard(name)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Another loader, and a patch afterwards."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        apply(module)

    def __getattr__(self, name: str) -> Any:
        """Whatever else loaders can: ``python -m`` asks for the code."""
        return getattr(self._loader, name)
