"""What Python runs at its start where ``weft run`` put this directory on its path: trace headers without a change.

An application that has a ``sitecustomize`` of its own gets it, too.
"""

import os
import sys


def _begin() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    _own_one(here)
    if os.environ.get("WEFT_TRACE_HEADERS", "on").lower() in {"off", "0", "false", "no"}:
        return
    package = os.path.dirname(os.path.dirname(here))
    sys.path.append(package)
    try:
        from weft_client.hooks import install

        install()
    except Exception:  # noqa: BLE001, S110 - the application goes on without its trace headers
        pass


def _own_one(here: str) -> None:
    """Run the next ``sitecustomize`` on the path."""
    import importlib.machinery
    import importlib.util

    rest = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_begin()
