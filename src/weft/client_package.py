"""``weft_client``: the installed one, or the copy that weft has for applications that it runs."""

import importlib
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE / "agent" / "client", _HERE.parents[1] / "client" / "src")


def client_module(name: str = "") -> Any:
    """The package, or a module of it. Weft's copy comes last on the path: what the user installed is preferred."""
    whole = f"weft_client.{name}" if name else "weft_client"
    try:
        return importlib.import_module(whole)
    except ModuleNotFoundError as missing:
        if missing.name != "weft_client":
            raise
    place = next((place for place in _PLACES if (place / "weft_client").is_dir()), None)
    if place is None:
        raise ModuleNotFoundError("weft-client is not installed and weft has no copy of it", name="weft_client")
    sys.path.append(str(place))
    importlib.invalidate_caches()
    return importlib.import_module(whole)
