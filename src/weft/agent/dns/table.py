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
    """Everything by name, lower-case and without the last dot."""

    def __init__(self, body: bytes) -> None:
        """Raises ``BadTable``."""
        try:
            names = msgspec.json.decode(body, type=_Names)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
            raise BadTable(f"the table of names is malformed: {wrong}") from wrong
        self.suffix = names.suffix.lower()
        self._known: dict[str, Known] = {}
        self._above: set[str] = set()
        for host in names.hosts:
            self._add(host, names)

    def find(self, name: str) -> Known | None:
        """What a name stands for; an empty one if only names under it stand for something."""
        found = self._known.get(name)
        return Known() if found is None and name in self._above else found

    def owns(self, name: str) -> bool:
        """Whether a name is one of the mesh's services, if there is such a service."""
        return name == self.suffix or name.endswith(f".{self.suffix}")

    def __len__(self) -> int:
        return len(self._known)

    def _add(self, host: _Host, names: _Names) -> None:
        """What could not be answered with is left out."""
        host = msgspec.structs.replace(
            host,
            addresses=tuple(one for one in host.addresses if _is_address(one)),
            pods=tuple(one for one in host.pods if _is_address(one.address)),
            alias=host.alias if _is_name(host.alias) else "",
        )
        for name in _names(host.host.lower(), names):
            lasting = not host.pods
            self._put(name, Known(addresses=host.addresses, alias=host.alias, lasting=lasting))
            for port in host.ports:
                self._put(_record(port, name), Known(targets=_targets(host, port, name), lasting=lasting))
            for pod in host.pods:
                self._put(f"{pod.name.lower()}.{name}", Known(addresses=(pod.address,), lasting=False))

    def _put(self, name: str, known: Known) -> None:
        """Names above a name exist, too, though nothing is said of them (RFC 8020)."""
        if not _is_name(name):
            return
        self._known.setdefault(name, known)
        if not self.owns(name):
            return
        above = name.partition(".")[2]
        while self.owns(above) and above not in self._above:
            self._above.add(above)
            above = above.partition(".")[2]


def _names(host: str, names: _Names) -> tuple[str, ...]:
    """The whole name, and for services the short ones: ``reviews.shop.svc``, ``reviews.shop``, ``reviews``."""
    short = host.removesuffix(f".{names.suffix}")
    service, _, namespace = short.partition(".")
    if short == host or not namespace or "." in namespace:
        return (host,)
    own = (service,) if namespace == names.namespace else ()
    return (host, f"{short}.svc", short, *own)


def _record(port: _Port, name: str) -> str:
    return f"_{port.name.lower()}._{'udp' if port.udp else 'tcp'}.{name}" if port.name else "."


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
