"""weft: a service mesh that pip installs; Istio's API, real Envoy sidecars, no Kubernetes needed.

For applications it has what ``weft_client`` has: ``weft.Client("reviews")``. Nothing is loaded until it is asked for.
"""

from typing import Any

_OF_CLIENTS = ("AsyncClient", "Client", "deadline", "remaining")


def __getattr__(name: str) -> Any:
    if name not in _OF_CLIENTS:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    from weft.client_package import client_module

    return getattr(client_module(), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OF_CLIENTS])
