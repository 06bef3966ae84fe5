"""What is known of every connected proxy: the server writes it, the API and dashboard read it, nothing flows back."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import count

from weft.compiler.resource import Resources
from weft.kit.value import Value
from weft.model.finding import Finding
from weft.model.identity import Identity
from weft.xds.introduction import Introduction
from weft.xds.session import Held, Session, Unconfirmed
from weft.xds.status import SyncState, TypeStatus
from weft.xds.tally import Tally

REMEMBERED = 10_000
"""Proxies whose unconfirmed resources are remembered after their stream ended."""


class ProxyStatus(Value):
    """One proxy, by its newest stream. ``connected_at`` is seconds since the epoch.

    ``findings`` is what failed late: the proxy then keeps what it had.
    """

    name: str
    identity: Identity
    connected_at: float
    variant: str
    types: tuple[TypeStatus, ...] = ()
    findings: tuple[Finding, ...] = ()
    streams: int = 1

    @property
    def synced(self) -> bool:
        """Whether the proxy uses everything that it was due."""
        return bool(self.types) and all(item.state is SyncState.SYNCED for item in self.types)


class Connection:
    """One open stream."""

    def __init__(self, introduction: Introduction, session: Session, connected_at: float) -> None:
        self.introduction = introduction
        self.session = session
        self.connected_at = connected_at
        self.resources: Resources | None = None

    @property
    def owner(self) -> tuple[str, str]:
        """The proxy behind the stream: nobody can speak for a name with another's certificate."""
        return (self.introduction.identity.uri, self.introduction.node_id)


class Fleet:
    """Every open stream, and what ended ones left in doubt."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._numbers = count()
        self._open: dict[int, Connection] = {}
        self._doubtful: OrderedDict[tuple[str, str], Unconfirmed] = OrderedDict()
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    def doubtful(self, introduction: Introduction) -> Unconfirmed:
        """What the proxy's last stream left in doubt."""
        return self._doubtful.get((introduction.identity.uri, introduction.node_id), {})

    def held(self, introduction: Introduction) -> Held | None:
        """The clusters that the proxy had on its last stream, if it is a client that gets everything."""
        return self._held.get((introduction.identity.uri, introduction.node_id))

    def join(self, connection: Connection) -> int:
        """Count a stream in; the number is for ``leave``."""
        number = next(self._numbers)
        self._open[number] = connection
        return number

    def leave(self, number: int) -> None:
        """Count a stream out."""
        connection = self._open.pop(number)
        doubtful = connection.session.unconfirmed()
        self._doubtful.pop(connection.owner, None)
        if doubtful:
            self._doubtful[connection.owner] = doubtful
        if (held := connection.session.held()) is not None:
            self._held.pop(connection.owner, None)
            self._held[connection.owner] = held
        for remembered in (self._doubtful, self._held):
            while len(remembered) > REMEMBERED:
                remembered.popitem(last=False)

    def streams(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def connections(self) -> Mapping[int, Connection]:
        """Every open stream by its number, which is never given again."""
        return self._open

    def proxies(self) -> tuple[ProxyStatus, ...]:
        """Every connected proxy, by name."""
        by_name: dict[str, list[Connection]] = {}
        for connection in self._open.values():
            by_name.setdefault(connection.introduction.node_id, []).append(connection)
        return tuple(_status(name, by_name[name]) for name in sorted(by_name))

    def settled(self, principal: str, name: str) -> Resources | None:
        """What a proxy of this identity was last offered, if it uses all of it."""
        mine = [one for one in self._open.values() if one.owner == (principal, name)]
        newest = mine[-1] if mine else None
        return newest.resources if newest is not None and newest.session.settled else None

    def resources(self, name: str) -> Resources | None:
        """What a connected proxy was last offered; ``None`` for one that is not connected."""
        offered = [item.resources for item in self._open.values() if item.introduction.node_id == name]
        return next((item for item in reversed(offered) if item is not None), None)


def _status(name: str, connections: list[Connection]) -> ProxyStatus:
    newest = connections[-1]
    types: dict[str, TypeStatus] = {}
    for connection in connections:
        types.update((item.type_url, item) for item in connection.session.status())
    return ProxyStatus(
        name=name,
        identity=newest.introduction.identity,
        connected_at=newest.connected_at,
        variant=newest.session.variant.value,
        types=tuple(types.values()),
        findings=newest.resources.findings if newest.resources else (),
        streams=len(connections),
    )
