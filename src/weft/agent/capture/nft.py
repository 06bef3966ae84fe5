"""Rules as one nft table of the workload's own: created and deleted as a whole.

Only the first packet of a connection is looked at, and only if it asks for one (SYN): whatever is established when the
table appears stays as it is. The chains come just before those of others (``dstnat`` is -100), so that a port which,
say, a container engine publishes on this host is still reached through the sidecar.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from weft.agent.capture.rules import DNS, ByCgroup, ByOthers, ByUser, Rules, of_family

_FIRST = "tcp flags & (fin|syn|rst|ack) != syn return"
_PRIORITY = "priority -101; policy accept;"
_ROOT = PurePosixPath("/sys/fs/cgroup")


def nft_text(rules: Rules, *, owned: bool) -> str:
    """A file for ``nft -f``. ``owned``: the kernel deletes the table with the process that made it (Linux 5.12)."""
    lines = [f"table inet {rules.table} {{", *(["\tflags owner"] if owned else [])]
    lines += _chain("output", f"type nat hook output {_PRIORITY}", _output(rules))
    lines += _chain("outbound", "", _outbound(rules))
    if rules.inbound:
        lines += _chain("prerouting", f"type nat hook prerouting {_PRIORITY}", _prerouting(rules))
    return "\n".join([*lines, "}", ""])


def undo_text(table: str) -> str:
    """A file for ``nft -f`` that deletes a table, also where there is none."""
    return f"table inet {table}\ndelete table inet {table}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> list[str]:
    head = [f"\t\t{hook}"] if hook else []
    return [f"\tchain {name} {{", *head, *(f"\t\t{rule}" for rule in rules), "\t}"]


def _output(rules: Rules) -> Iterator[str]:
    """What processes of this host send: the sidecar's passes, the application's goes out, others' may come in."""
    yield _FIRST
    if rules.mark:
        yield f"meta mark {rules.mark:#x} return"
    match rules.who:
        case ByCgroup():
            yield f"{_cgroup(rules.who)} goto outbound"
        case ByUser(uid=uid):
            yield f"meta skuid {uid} goto outbound"
        case ByOthers(gid=gid):
            yield f"meta skgid != {gid} goto outbound"
    yield from _inbound(rules)


def _prerouting(rules: Rules) -> Iterator[str]:
    """What comes from other hosts."""
    yield _FIRST
    yield from _inbound(rules)
    if rules.every_inbound and isinstance(rules.who, ByCgroup):
        spared = _ports(rules.exclude_inbound, "!=")
        yield f"{_cgroup(rules.who)} {spared}redirect to :{rules.inbound}"


def _inbound(rules: Rules) -> Iterator[str]:
    if not rules.inbound_ports or not rules.inbound:
        return
    for place in _here(rules):
        yield f"{place} {_ports(rules.inbound_ports)}redirect to :{rules.inbound}"


def _here(rules: Rules) -> Iterator[str]:
    """Where the workload is reached."""
    if not rules.at:
        yield "fib daddr type local"
    for family, addresses in (("ip", of_family(rules.at, 4)), ("ip6", of_family(rules.at, 6))):
        if addresses:
            yield f"{family} daddr {_set(addresses)}"


def _outbound(rules: Rules) -> Iterator[str]:
    if rules.dns:
        yield f"udp dport {DNS} redirect to :{rules.dns}"
        yield f"tcp dport {DNS} redirect to :{rules.dns}"
    yield "meta l4proto != tcp return"
    yield "ip daddr 127.0.0.0/8 return"
    yield "ip6 daddr ::1 return"
    for place in _here(rules) if rules.own_ports else ():
        yield f"{place} {_ports(rules.own_ports)}return"
    if rules.exclude_ports:
        yield f"{_ports(rules.exclude_ports)}return"
    for family, version in (("ip", 4), ("ip6", 6)):
        if excluded := of_family(rules.exclude_cidrs, version):
            yield f"{family} daddr {_set(excluded)} return"
    yield from _included(rules)


def _included(rules: Rules) -> Iterator[str]:
    ports = _ports(rules.include_ports) if rules.include_ports else ""
    turned = f"{ports}{'' if ports else 'meta l4proto tcp '}redirect to :{rules.outbound}"
    if not rules.include_cidrs:
        yield turned
    for family, version in (("ip", 4), ("ip6", 6)):
        if included := of_family(rules.include_cidrs, version):
            yield f"{family} daddr {_set(included)} {turned}"


def _cgroup(who: ByCgroup) -> str:
    """nft counts paths from /sys/fs/cgroup, the kernel levels from the root of the hierarchy."""
    mounted = PurePosixPath(who.mount).relative_to(_ROOT) / who.path.lstrip("/")
    return f'socket cgroupv2 level {who.level} "{mounted}"'


def _ports(ports: tuple[int, ...], compared: str = "") -> str:
    return f"tcp dport {compared + ' ' if compared else ''}{_set(str(port) for port in ports)} " if ports else ""


def _set(items: Iterable[str]) -> str:
    found = list(items)
    return found[0] if len(found) == 1 else "{ " + ", ".join(found) + " }"
