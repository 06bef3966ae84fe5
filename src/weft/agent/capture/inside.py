"""What is to be captured in a network of the application's own, and the rules in there.

All of it belongs to the network, so nothing is to be taken away: both end with the last process in there.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.agent.capture.config import CaptureConfig
from weft.agent.capture.rules import DNS, merged, of_family, without_ssh
from weft.kit.value import Value

OWN = ("192.0.0.8", "100::8")
"""What the network has beside loopback, and connections come from: of IPv4 the dummy address (RFC 7600), of IPv6 one
that is sent nowhere (RFC 6666)."""

TABLE = "weft"
MARK = 0x57450000
"""On the relay's own connections to the application."""


Door = tuple[int, int]
"""A port by which others reach the application: an open socket that is bound on the host, and the port inside."""


class Inside(Value):
    """What the relay is told. ``control`` is its open way to the agent, ``way`` the sidecar's Unix socket, ``names``
    an open socket to the resolver at the host's port ``resolver``.

    ``through`` are ports of the host's 127.0.0.1 that the application may call: the sidecar's. ``patience`` as of a
    guardian. Nothing included means all.
    """

    control: int
    way: str
    nft: str
    names: int
    resolver: int
    patience: float
    doors: tuple[Door, ...] = ()
    addresses: tuple[str, ...] = ()
    own_ports: tuple[int, ...] = ()
    through: tuple[int, ...] = ()
    include_ports: tuple[int, ...] = ()
    exclude_ports: tuple[int, ...] = ()
    include_cidrs: tuple[str, ...] = ()
    exclude_cidrs: tuple[str, ...] = ()


class Turns(Value):
    """The relay's ports inside: what goes to the sidecar, what goes straight to where it is sent, and names."""

    outbound: int
    straight: int
    names: int


def inside_of(config: CaptureConfig, rest: Inside) -> Inside:
    """With what a user wants of calls."""
    return replace(
        rest,
        include_ports=tuple(sorted(set(config.include_outbound_ports))),
        exclude_ports=tuple(sorted(without_ssh(config.exclude_outbound_ports, config.include_outbound_ports))),
        include_cidrs=merged(config.include_outbound_cidrs),
        exclude_cidrs=merged(config.exclude_outbound_cidrs),
    )


def inside_text(inside: Inside, turns: Turns) -> str:
    """A file for ``nft -f``, to be run in the network."""
    return "\n".join(
        [
            f"table inet {TABLE} {{",
            "\tchain output {",
            "\t\ttype nat hook output priority -101; policy accept;",
            *(f"\t\t{rule}" for rule in _turned(inside, turns)),
            "\t}",
            "\tchain rest {",
            "\t\ttype filter hook output priority 0; policy accept;",
            *(f"\t\t{rule}" for rule in _refused(inside)),
            "\t}",
            "}",
            "",
        ]
    )


def _turned(inside: Inside, turns: Turns) -> Iterator[str]:
    straight = f"redirect to :{turns.straight}"
    yield f"meta mark {MARK:#x} return"
    yield f"udp dport {DNS} redirect to :{turns.names}"
    yield f"ip daddr 127.0.0.1 udp dport {inside.resolver} redirect to :{turns.names}"
    yield f"tcp dport {DNS} {straight}"
    yield "meta l4proto != tcp return"
    if inside.through:
        yield f"ip daddr 127.0.0.1 {_ports(inside.through)} {straight}"
    if inside.exclude_ports:
        yield f"{_ports(inside.exclude_ports)} {straight}"
    yield "ip daddr 127.0.0.0/8 return"
    yield "ip6 daddr ::1 return"
    for family, addresses in _families((*OWN, *inside.addresses)):
        if inside.own_ports:
            yield f"{family} daddr {_set(addresses)} {_ports(inside.own_ports)} return"
    for family, cidrs in _families(inside.exclude_cidrs):
        yield f"{family} daddr {_set(cidrs)} meta l4proto tcp {straight}"
    yield from _included(inside, f"redirect to :{turns.outbound}")
    if inside.include_ports or inside.include_cidrs:
        yield f"meta l4proto tcp {straight}"


def _refused(inside: Inside) -> Iterator[str]:
    """Packets that have no way out: who sends them is told at once, rather than left to wait for an answer."""
    yield "ct state established accept"
    for family, addresses in _families(("127.0.0.0/8", "::1", *OWN, *inside.addresses)):
        yield f"{family} daddr != {_set(addresses)} meta l4proto udp reject"


def _included(inside: Inside, outbound: str) -> Iterator[str]:
    ports = _ports(inside.include_ports) if inside.include_ports else "meta l4proto tcp"
    if not inside.include_cidrs:
        yield f"{ports} {outbound}"
    for family, cidrs in _families(inside.include_cidrs):
        yield f"{family} daddr {_set(cidrs)} {ports} {outbound}"


def _families(cidrs: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Those of IPv4 and of IPv6, as nft calls them, where there are any."""
    every = tuple(cidrs)
    for family, version in (("ip", 4), ("ip6", 6)):
        if found := of_family(every, version):
            yield family, found


def _ports(ports: tuple[int, ...]) -> str:
    return f"tcp dport {_set(str(port) for port in ports)}"


def _set(items: Iterable[str]) -> str:
    return "{ " + ", ".join(dict.fromkeys(items)) + " }"
