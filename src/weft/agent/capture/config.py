"""What a user asks of capture, and how the short notations are read."""

import ipaddress
from enum import Enum

from weft.kit.errors import UserError
from weft.kit.value import Value

SSH = 22
"""Left alone in both directions unless it is asked for by number."""


class Scope(Enum):
    """What tells the workload's connections from others: by cgroup, user, a network, or all but the sidecar (a pod)."""

    AUTO = "auto"
    CGROUP = "cgroup"
    USER = "user"
    NETWORK = "network"
    POD = "pod"


class Mechanism(Enum):
    """Who holds the rules."""

    AUTO = "auto"
    NFT = "nft"
    IPTABLES = "iptables"


class CaptureConfig(Value):
    """Which connections are turned.

    Nothing included means all; of inbound ports: the workload's own. ``every_inbound``: whatever port the workload
    listens on. ``at``: the addresses of this host at which inbound connections are turned, none: all.
    """

    scope: Scope = Scope.AUTO
    mechanism: Mechanism = Mechanism.AUTO
    include_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    include_outbound_cidrs: tuple[str, ...] = ()
    exclude_outbound_cidrs: tuple[str, ...] = ()
    include_inbound_ports: tuple[int, ...] = ()
    exclude_inbound_ports: tuple[int, ...] = ()
    every_inbound: bool = False
    at: tuple[str, ...] = ()


def parse_ports(text: str, option: str) -> tuple[int, ...]:
    """Read ``80,443``. Raises ``UserError``."""
    return tuple(dict.fromkeys(_port(part.strip(), option) for part in text.split(",") if part.strip()))


def parse_cidrs(text: str, option: str) -> tuple[str, ...]:
    """Read ``10.0.0.0/8,fd00::/8``; an address stands for itself. Raises ``UserError``."""
    return tuple(dict.fromkeys(_cidr(part.strip(), option) for part in text.split(",") if part.strip()))


def _port(text: str, option: str) -> int:
    if text.isascii() and text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise UserError(f"{text!r} is no port", help=f"{option} takes numbers from 1 to 65535, as in 3306,5432")


def _cidr(text: str, option: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as wrong:
        raise UserError(f"{text!r} is no range of addresses", help=f"{option} takes 10.0.0.0/8,fd00::/8") from wrong
