"""What is to be captured, resolved to numbers: the same for whoever renders it."""

import ipaddress
import re
from collections.abc import Iterable
from hashlib import sha256

from weft.agent.capture.config import SSH, CaptureConfig
from weft.kit.value import Value

PREFIX = "weft-"
DNS = 53
_PLAIN = re.compile(r"[a-z0-9][-a-z0-9.]{0,200}")


class ByCgroup(Value, tag="cgroup"):
    """The application's sockets were made in a cgroup (v2) of its own.

    ``path`` begins at the root of the hierarchy, as in ``/proc/PID/cgroup``; ``mount`` is where that is mounted.
    """

    mount: str
    path: str

    @property
    def level(self) -> int:
        """How deep it lies."""
        return len(self.path.strip("/").split("/"))


class ByUser(Value, tag="user"):
    """The application runs as a user of its own."""

    uid: int


class ByOthers(Value, tag="others"):
    """The application is everybody in this network namespace but the sidecar, which runs as a group of its own."""

    gid: int


Who = ByCgroup | ByUser | ByOthers


class Rules(Value):
    """The rules of one workload. Ports 0 are not turned to; ``at`` none: all of the host's addresses.

    ``mark`` is on the sidecar's own connections to the application, of which no other workload has the same.
    """

    workload: str
    who: Who
    outbound: int
    inbound: int
    mark: int = 0
    dns: int = 0
    inbound_ports: tuple[int, ...] = ()
    every_inbound: bool = False
    own_ports: tuple[int, ...] = ()
    at: tuple[str, ...] = ()
    include_ports: tuple[int, ...] = ()
    exclude_ports: tuple[int, ...] = ()
    include_cidrs: tuple[str, ...] = ()
    exclude_cidrs: tuple[str, ...] = ()
    exclude_inbound: tuple[int, ...] = ()

    @property
    def lasting(self) -> bool:
        """Whether they stay when the sidecar ends, and end with the network that they are in.

        A pod's other containers go on without it, until it is started again: nothing of theirs may go past it then.
        """
        return isinstance(self.who, ByOthers)

    @property
    def table(self) -> str:
        """The name of the workload's own nft table."""
        return table_of(self.workload)

    @property
    def chain(self) -> str:
        """The end of its iptables chains' names, which may have 28 letters."""
        return sha256(self.workload.encode()).hexdigest()[:12]


def table_of(workload: str) -> str:
    """The name of a workload's nft table."""
    plain = workload if _PLAIN.fullmatch(workload) else sha256(workload.encode()).hexdigest()[:16]
    return PREFIX + plain


def rules_of(
    workload: str,
    config: CaptureConfig,
    who: Who,
    outbound: int,
    inbound: int,
    mark: int,
    own_ports: tuple[int, ...],
    dns: int = 0,
) -> Rules:
    """The rules of a workload whose application listens on ``own_ports``."""
    wanted = config.include_inbound_ports or (() if config.every_inbound else own_ports)
    left_alone = without_ssh(config.exclude_inbound_ports, (*config.include_inbound_ports, *own_ports))
    excluded = without_ssh(config.exclude_outbound_ports, config.include_outbound_ports)
    return Rules(
        workload=workload,
        who=who,
        outbound=outbound,
        inbound=inbound,
        mark=mark,
        dns=0 if DNS in excluded else dns,
        inbound_ports=tuple(sorted(set(wanted) - set(left_alone))),
        every_inbound=config.every_inbound,
        own_ports=tuple(sorted(set(own_ports) | set(wanted))),
        at=config.at,
        include_ports=tuple(sorted(set(config.include_outbound_ports))),
        exclude_ports=tuple(sorted(excluded)),
        include_cidrs=merged(config.include_outbound_cidrs),
        exclude_cidrs=merged(config.exclude_outbound_cidrs),
        exclude_inbound=tuple(sorted(left_alone)),
    )


def of_family(cidrs: Iterable[str], version: int) -> tuple[str, ...]:
    """Those of IPv4 or of IPv6."""
    return tuple(one for one in cidrs if ipaddress.ip_network(one).version == version)


def without_ssh(excluded: tuple[int, ...], asked_for: tuple[int, ...]) -> set[int]:
    """The excluded ports, and SSH's unless it is asked for."""
    return set(excluded) | (set() if SSH in asked_for else {SSH})


def merged(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Without ranges inside of others, which a set of nft refuses."""
    networks = [ipaddress.ip_network(one) for one in cidrs]
    four = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return (*(str(one) for one in four), *(str(one) for one in six))
