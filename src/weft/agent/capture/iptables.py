"""The same rules for hosts without nft: chains of the workload's own in ``nat``, put in and taken out as a whole.

A set of ports is written as one rule for each 15 (the ``multiport`` match takes no more), a range of addresses as one
rule each.
"""

from collections.abc import Iterator

from weft.agent.capture.rules import DNS, ByCgroup, ByOthers, ByUser, Rules, of_family

_MOST_PORTS = 15


def iptables_text(rules: Rules, version: int, *, led: bool = False) -> str:
    """A file for ``iptables-restore --noflush`` (4) or ``ip6tables-restore --noflush`` (6).

    The chains' rules take the place of those that were in them; ``led``: something leads to the chains already.
    """
    chains = _chains(rules)
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in chains)]
    lines += [f"-I {hook} {rest}" for hook, rest in _jumps(rules) if not led]
    lines += _output(rules, version)
    lines += _outbound(rules, version)
    if rules.inbound:
        lines += [f"-A WEFT_IN_{rules.chain} {rest}" for rest in _inbound(rules, version)]
    return "\n".join([*lines, "COMMIT", ""])


def undo_iptables_text(rules: Rules) -> str:
    """A file that takes them out again, for both families."""
    chains = _chains(rules)
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in chains)]
    lines += [f"-D {hook} {rest}" for hook, rest in _jumps(rules)]
    return "\n".join([*lines, *(f"-F {chain}" for chain in chains), *(f"-X {chain}" for chain in chains), "COMMIT", ""])


def _chains(rules: Rules) -> list[str]:
    names = [f"WEFT_HOST_{rules.chain}", f"WEFT_OUT_{rules.chain}"]
    return [*names, *([f"WEFT_IN_{rules.chain}"] if rules.inbound else [])]


def _jumps(rules: Rules) -> list[tuple[str, str]]:
    found = [("OUTPUT", f"-j WEFT_HOST_{rules.chain}")]
    return [*found, *([("PREROUTING", f"-p tcp --syn -j WEFT_IN_{rules.chain}")] if rules.inbound else [])]


def _output(rules: Rules, version: int) -> Iterator[str]:
    chain, outbound = f"-A WEFT_HOST_{rules.chain}", f"WEFT_OUT_{rules.chain}"
    yield f"{chain} -p tcp ! --syn -j RETURN"
    if rules.mark:
        yield f"{chain} -m mark --mark {rules.mark:#x} -j RETURN"
    match rules.who:
        case ByCgroup(path=path):
            yield f"{chain} -m cgroup --path {path.lstrip('/')} -g {outbound}"
        case ByUser(uid=uid):
            yield f"{chain} -m owner --uid-owner {uid} -g {outbound}"
        case ByOthers(gid=gid):
            yield f"{chain} -m owner ! --gid-owner {gid} -g {outbound}"
    yield from (f"{chain} {rest}" for rest in _inbound(rules, version))


def _inbound(rules: Rules, version: int) -> Iterator[str]:
    if not rules.inbound:
        return
    for place in _here(rules, version):
        for ports in _ports(rules.inbound_ports):
            yield f"-p tcp {place} {ports} -j REDIRECT --to-ports {rules.inbound}"


def _here(rules: Rules, version: int) -> list[str]:
    """Where the workload is reached."""
    return [f"-d {one}" for one in of_family(rules.at, version)] if rules.at else ["-m addrtype --dst-type LOCAL"]


def _outbound(rules: Rules, version: int) -> Iterator[str]:
    chain = f"-A WEFT_OUT_{rules.chain}"
    if rules.dns:
        yield f"{chain} -p udp --dport {DNS} -j REDIRECT --to-ports {rules.dns}"
        yield f"{chain} -p tcp --dport {DNS} -j REDIRECT --to-ports {rules.dns}"
    yield f"{chain} ! -p tcp -j RETURN"
    yield f"{chain} -d {'127.0.0.0/8' if version == 4 else '::1/128'} -j RETURN"
    for place in _here(rules, version):
        for ports in _ports(rules.own_ports):
            yield f"{chain} -p tcp {place} {ports} -j RETURN"
    for ports in _ports(rules.exclude_ports):
        yield f"{chain} -p tcp {ports} -j RETURN"
    for cidr in of_family(rules.exclude_cidrs, version):
        yield f"{chain} -d {cidr} -j RETURN"
    for place in _included(rules, version):
        for ports in _ports(rules.include_ports) if rules.include_ports else [""]:
            yield f"{chain} -p tcp{place}{' ' + ports if ports else ''} -j REDIRECT --to-ports {rules.outbound}"


def _included(rules: Rules, version: int) -> list[str]:
    return [f" -d {one}" for one in of_family(rules.include_cidrs, version)] if rules.include_cidrs else [""]


def _ports(ports: tuple[int, ...]) -> Iterator[str]:
    for at in range(0, len(ports), _MOST_PORTS):
        some = ports[at : at + _MOST_PORTS]
        yield f"--dport {some[0]}" if len(some) == 1 else f"-m multiport --dports {','.join(map(str, some))}"
