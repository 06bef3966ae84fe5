"""Where the proxy finds its control plane: a file that Envoy watches, so that the way can change while it runs.

It leads to the control plane, or to this agent's replay of the last good configuration while that is away.
"""

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Any

import msgspec

from weft.kit.files import write_whole

REPLAYED = "weft.replayed"
"""Marks the way to the replay, which speaks no TLS: the socket is this agent's own."""
_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

Json = dict[str, Any]


class Way:
    """The file of one proxy."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._written: Json = {}
        self._version = 0

    async def to(self, address: str) -> bool:
        """Lead to ``host:port``; whether there is such a host. A name may have several addresses."""
        host, _, port = address.rpartition(":")
        found = await _addresses(host.strip("[]"), int(port))
        if found:
            self._lead([{"address": {"socket_address": {"address": one, "port_value": int(port)}}} for one in found])
        return bool(found)

    def to_replay(self, path: Path) -> None:
        """Lead to a Unix socket without TLS."""
        self._lead([{"address": {"pipe": {"path": str(path)}}}], {"envoy.transport_socket_match": {REPLAYED: True}})

    def _lead(self, endpoints: list[Json], metadata: Json | None = None) -> None:
        marked = {"metadata": {"filter_metadata": metadata}} if metadata else {}
        assignment = {
            "@type": _TYPE,
            "cluster_name": "xds",
            "endpoints": [{"lb_endpoints": [{"endpoint": one, **marked} for one in endpoints]}],
        }
        if assignment == self._written:
            return
        self._version += 1
        self._written = assignment
        write_whole(self.file, msgspec.json.encode({"version_info": str(self._version), "resources": [assignment]}))


async def _addresses(host: str, port: int) -> list[str]:
    """Every address of a host, itself when it is one; none when it cannot be resolved."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(one[4][0]) for one in found))
