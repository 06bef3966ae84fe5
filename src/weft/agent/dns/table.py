"""The names of the mesh as the control plane told them, ready to be looked up."""

from ipaddress import ip_address

import msgspec

from weft.agent.dns.message import packed_name
from weft.kit.errors import WeftError
from weft.kit.value import Value


class BadTable(WeftError):
    """What should be a table is none."""


class _Port(Value):
    name: str
    number: int
    udp: bool = False


class _Pod(Value):
    name: str
    address: str
    ports: tuple[_Port, ...] = ()


class _Host(Value):
    host: str
    addresses: tuple[str, ...] = ()
    ports: tuple[_Port, ...] = ()
    pods: tuple[_Pod, ...] = ()
    alias: str = ""


class _Names(Value):
    namespace: str
    suffix: str
    hosts: tuple[_Host, ...] = ()


class Target(Value):
    """Where a service record leads: a name, its addresses, a port."""

    name: str
    port: int
    addresses: tuple[str, ...] = ()


class Known(Value):
    """What a name stands for. ``lasting``: its addresses do not change while there is such a name."""

    addresses: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    alias: str = ""
    lasting: bool = True


class NameTable:
    """Everything by the whole name, lower-case, without the last dot; what follows from it is made when asked for."""

    def __init__(self, body: bytes) -> None:
        """Raises ``BadTable``."""
        try:
            names = msgspec.json.decode(body, type=_Names)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
            raise BadTable(f"the table of names is malformed: {wrong}") from wrong
        self.suffix = names.suffix.lower()
        self._namespace = names.namespace.lower()
        self._hosts = {host.host.lower(): _sound(host) for host in names.hosts if _is_name(host.host)}
        within = (host.removesuffix(f".{self.suffix}") for host in self._hosts if self.owns(host))
        self._above = {self.suffix, *(f"{name.rpartition('.')[2]}.{self.suffix}" for name in within)}

    def find(self, name: str) -> Known | None:
        """What a name stands for; an empty one if only names under it stand for something (RFC 8020)."""
        host = self._host(name)
        if host is not None:
            return Known(addresses=host.addresses, alias=host.alias, lasting=not host.pods)
        first, _, rest = name.partition(".")
        if first in ("_tcp", "_udp") and self._host(rest) is not None:
            return Known()
        if first.startswith("_"):
            return self._record(first[1:], rest)
        above = self._host(rest)
        pod = next((one for one in above.pods if one.name.lower() == first), None) if above else None
        if pod is not None:
            return Known(addresses=(pod.address,), lasting=False)
        return Known() if name in self._above else None

    def owns(self, name: str) -> bool:
        """Whether a name is one of the mesh's services, if there is such a service."""
        return name == self.suffix or name.endswith(f".{self.suffix}")

    def __len__(self) -> int:
        return len(self._hosts)

    def _host(self, name: str) -> _Host | None:
        """By the whole name, or a service by a short one: ``reviews.shop.svc``, ``reviews.shop``, ``reviews``."""
        found = self._hosts.get(name)
        if found is not None:
            return found
        short = name.removesuffix(".svc")
        match short.count("."):
            case 0 if short == name:
                return self._hosts.get(f"{short}.{self._namespace}.{self.suffix}")
            case 1:
                return self._hosts.get(f"{short}.{self.suffix}")
            case _:
                return None

    def _record(self, port: str, name: str) -> Known | None:
        """The service record of a port: ``_tcp.reviews``."""
        kind, _, name = name.partition(".")
        host = self._host(name)
        ports = [one for one in host.ports if (one.name.lower(), one.udp) == (port, kind == "_udp")] if host else []
        if host is None or not ports or kind not in ("_tcp", "_udp"):
            return None
        return Known(targets=_targets(host, ports[0], name), lasting=not host.pods)


def _sound(host: _Host) -> _Host:
    """Without what could not be answered with."""
    return msgspec.structs.replace(
        host,
        addresses=tuple(one for one in host.addresses if _is_address(one)),
        pods=tuple(one for one in host.pods if _is_address(one.address) and _is_name(one.name)),
        alias=host.alias if _is_name(host.alias) else "",
    )


def _targets(host: _Host, port: _Port, name: str) -> tuple[Target, ...]:
    """The service itself, or each of its pods with the port that it has."""
    if not host.pods:
        return (Target(name=name, port=port.number, addresses=host.addresses),) if host.addresses else ()
    return tuple(
        Target(name=f"{pod.name.lower()}.{name}", port=own.number, addresses=(pod.address,))
        for pod in host.pods
        for own in pod.ports
        if own.name == port.name
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_name(text: str) -> bool:
    try:
        return len(packed_name(text)) > 1
    except ValueError:
        return False
