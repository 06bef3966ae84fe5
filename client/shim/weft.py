"""``weft`` where weft-client is installed alone: ``weft.Client("reviews")`` works without the mesh's own package.

A package of the same name in the same directory is preferred by Python. One elsewhere on the path (a checkout) is
found here and takes this module's place.
"""

import importlib.machinery
import importlib.util
import os
import sys
from typing import Any

_OURS = ("AsyncClient", "Client", "deadline", "remaining")


def _whole() -> Any:
    """The mesh's own package, if it is anywhere else on the path."""
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("weft", rest)
    return spec if spec is not None and spec.origin is not None and spec.submodule_search_locations else None


_spec = _whole()
if _spec is not None:
    _module = importlib.util.module_from_spec(_spec)
    sys.modules[__name__] = _module
    _spec.loader.exec_module(_module)


def __getattr__(name: str) -> Any:
    if name not in _OURS:
        raise AttributeError(f"module 'weft' has no attribute {name!r}: this is weft-client, without weft itself")
    import weft_client

    return getattr(weft_client, name)


def __dir__() -> "list[str]":
    return sorted(_OURS)
