"""Lets Python applications pass trace headers on without a change: what Python's start finds on its path.

``weft_client`` is a package of its own, which loads nothing that is not called; its ``sitecustomize`` patches servers
and clients when the application imports them. Other programs look at none of this.
"""

import os
from collections.abc import Mapping
from pathlib import Path

SWITCH = "WEFT_TRACE_HEADERS"
_HERE = Path(__file__).resolve().parent
_INJECT = Path("weft_client", "inject")


def with_trace_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which Python passes trace headers on; as it was if its ``WEFT_TRACE_HEADERS`` says off."""
    place = _place()
    if place is None or environment.get(SWITCH, "").lower() in {"off", "0", "false", "no"}:
        return dict(environment)
    paths = [str(place), *filter(None, (environment.get("PYTHONPATH"),))]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def _place() -> Path | None:
    """The directory in an installed weft, or in its checkout."""
    candidates = (_HERE / "client" / _INJECT, _HERE.parents[2] / "client" / "src" / _INJECT)
    return next((one for one in candidates if one.is_dir()), None)
