"""Hosts with addresses of their own: network namespaces joined by a bridge in one more.

``nsenter`` rather than ``ip netns exec``: the latter hides the cgroups behind a new ``/sys``.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMESPACES = Path("/run/netns")


class Host:
    """One network namespace with an address of each family."""

    def __init__(self, name: str, number: int) -> None:
        self.namespace = name
        self.address = f"10.77.0.{number}"
        self.address6 = f"fd77::{number}"

    def command(self, *command: str) -> tuple[str, ...]:
        """The same command, run on this host."""
        return ("nsenter", f"--net={NAMESPACES / self.namespace}", *command)

    def run(self, *command: str, timeout: float = 20, check: bool = True, text: str | None = None) -> str:
        """Run it to its end; what it printed."""
        done = subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=timeout, check=False, input=text
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start it."""
        return subprocess.Popen(
            self.command(*command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def weft(self, *arguments: str, runtime: Path) -> str:
        """Run weft's command line here; what it said and printed."""
        done = subprocess.run(
            self.command(sys.executable, "-m", "weft", *arguments),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "WEFT_RUNTIME": str(runtime)},
        )
        return done.stdout + done.stderr

    def rules(self) -> str:
        """All rules of this host, as nft and as iptables know them (those tools say the date, too)."""
        saved = [self.run(tool) for tool in ("iptables-save", "ip6tables-save")]
        lines = [line for text in saved for line in text.splitlines() if not line.startswith("#")]
        return "\n".join([self.run("nft", "list", "ruleset"), *lines])


@contextmanager
def lan(*names: str) -> Iterator[tuple[Host, ...]]:
    """So many hosts on one network, with a default route to nowhere, as virtual addresses need one."""
    mine = f"weft-{os.getpid()}-{secrets.token_hex(2)}"
    bridge = f"{mine}-lan"
    hosts = tuple(Host(f"{mine}-{name}", number) for number, name in enumerate(names, start=1))
    try:
        _ip("netns", "add", bridge)
        _ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", bridge, "link", "set", "br0", "up")
        for number, host in enumerate(hosts, start=1):
            _join(host, bridge, number)
        yield hosts
    finally:
        for name in (*(host.namespace for host in hosts), bridge):
            subprocess.run(("ip", "netns", "del", name), capture_output=True, timeout=20, check=False)


def _join(host: Host, bridge: str, number: int) -> None:
    its = host.namespace
    _ip("netns", "add", its)
    _ip("-n", its, "link", "set", "lo", "up")
    _ip("-n", its, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}", "netns", bridge)
    _ip("-n", bridge, "link", "set", f"port{number}", "master", "br0", "up")
    _ip("-n", its, "link", "set", "eth0", "up")
    _ip("-n", its, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", its, "address", "add", f"{host.address6}/64", "dev", "eth0", "nodad")
    _ip("-n", its, "route", "add", "default", "via", "10.77.0.254")
    _ip("-n", its, "route", "add", "default", "via", "fd77::fe")


def _ip(*arguments: str) -> None:
    done = subprocess.run(("ip", *arguments), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
