"""A request as it comes to a workload's guards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.model.authorization import AccessPolicy, Attribute


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request as it comes to a workload's guards.

    ``caller`` is the identity that its certificate proves, without ``spiffe://``, "" without one. ``ports`` are the
    numbers that the port goes by. ``claims`` are those of a token that was found right, ``None`` without one. Of bytes
    there is neither method nor path, host or headers. Of attributes that are ``unknown`` nobody knows whether a
    condition holds: it does in the policies that are ``supposed``, and in no other.
    """

    caller: str = ""
    source_ip: str = "127.0.0.1"
    remote_ip: str = "127.0.0.1"
    own_ip: str = "127.0.0.1"
    ports: tuple[int, ...] = ()
    server_name: str = ""
    bytes_only: bool = False
    method: str = "GET"
    path: str = "/"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    claims: Mapping[str, Any] | None = None
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unknown: frozenset[Attribute] = frozenset()
    supposed: frozenset[AccessPolicy] = frozenset()

    def values(self, name: str) -> list[str]:
        """Every value of a header or pseudo header."""
        pseudo = {":method": self.method, ":path": self.path, ":authority": self.host}
        if name in pseudo:
            return [pseudo[name]]
        return [value for key, value in self.headers if key.lower() == name]
