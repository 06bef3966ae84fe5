"""What a workload proves itself with, and who judges it; apart from the kinds, so that the routes know none of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from weft.ca.grounds import Ground
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity


class Process(Value):
    """A process of this host, as the kernel knows it; ``executable`` is "" where that cannot be known."""

    pid: int
    uid: int
    gid: int
    executable: str = ""


class Proof(Value):
    """A token of Kubernetes, a JWT of an issuer, or the process itself, which asks for an account."""

    kubernetes: str = ""
    jwt: str = ""
    process: Process | None = None
    namespace: str = ""
    account: str = ""


class Unproved(PeerError):
    """The proof proves nothing. ``why`` is for who runs the control plane; the caller is told as little as possible."""

    def __init__(self, why: str) -> None:
        super().__init__("this does not prove who the workload is")
        self.why = why


def process_of(scope: Any) -> Process | None:
    """The process of a request that came over a Unix socket."""
    found = scope.get("extensions", {}).get("process")
    return found if isinstance(found, Process) else None


Attest = Callable[[Proof], Awaitable[tuple[Identity, Ground]]]
"""Who proves it, and on which ground. Raises ``Unproved``; any other ``WeftError`` where that cannot be known now."""
