"""What one stream may be sent now: the newest offer, and clusters that stay until nobody routes to them any more.

Make before break: a cluster that left the offer lingers, with its endpoints, until the listeners and routes that no
longer name it are acknowledged, or for 30 seconds.
"""

from collections.abc import Mapping

from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Resource, Resources, version_of
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.xds.names import canonical
from weft.xds.wire import no_endpoints

LINGER = 30.0
"""Seconds that a removed cluster stays at most."""

REQUEST_GRACE = 1.0
"""Seconds within which a client that came back asks for its listeners and routes too."""

ROUTING_TYPES = (LISTENER, ROUTES)
"""Types that name clusters."""

_NOTHING: Mapping[str, Resource] = {}


class Hold(Value):
    """A cluster's removal that waits. ``known`` is what the client may still be sent; times are monotonic seconds."""

    earliest: float
    latest: float
    cluster: Resource | None = None
    endpoints: Resource | None = None


class Stage:
    """Resources by type and key. A type's revision grows whenever an answer about it may have become another."""

    def __init__(self) -> None:
        self._offered: dict[str, dict[str, Resource]] = {}
        self._revisions: dict[str, int] = {}
        self._holds: dict[str, Hold] = {}

    def offer(self, resources: Resources, now: float) -> None:
        """Replace what is offered; clusters that left begin to linger."""
        offered = _by_type(resources.resources)
        before, self._offered = self._offered, offered
        for type_url in before.keys() | offered.keys():
            if before.get(type_url) != offered.get(type_url):
                self._touch(type_url)
        clusters = offered.get(CLUSTER, _NOTHING)
        for name in [name for name in self._holds if name in clusters]:
            del self._holds[name]
        old_endpoints = before.get(ENDPOINTS, _NOTHING)
        for name, cluster in before.get(CLUSTER, _NOTHING).items():
            if name not in clusters:
                self._holds[name] = Hold(
                    earliest=now, latest=now + LINGER, cluster=cluster, endpoints=old_endpoints.get(name)
                )

    def recall(self, clusters: Mapping[str, Resource], endpoints: Mapping[str, Resource], now: float) -> None:
        """A client that gets everything came back with these clusters: those that left meanwhile begin to linger."""
        offered = self._offered.get(CLUSTER, _NOTHING)
        for name in (name for name in clusters if name not in offered and name not in self._holds):
            self._holds[name] = Hold(
                earliest=now + REQUEST_GRACE,
                latest=now + LINGER,
                cluster=clusters[name],
                endpoints=endpoints.get(name),
            )

    def claim(self, name: str, now: float) -> None:
        """A client that came back holds a cluster that is not offered: its removal waits for its routes too."""
        if name not in self.all(CLUSTER) and name not in self._holds:
            self._holds[name] = Hold(earliest=now + REQUEST_GRACE, latest=now + LINGER)

    def release(self, now: float, settled: bool, complete: bool) -> bool:
        """Let go of lingering clusters and say whether any went.

        ``settled``: listeners and routes are acknowledged; ``complete``: the client has asked for both.
        """
        gone = [
            name
            for name, hold in self._holds.items()
            if now >= hold.latest or (settled and (complete or now >= hold.earliest))
        ]
        for name in gone:
            del self._holds[name]
        if gone:
            self._touch(CLUSTER)
        return bool(gone)

    def deadline(self, now: float) -> float | None:
        """When ``release`` may let something go although no message came."""
        times = (hold.earliest if hold.earliest > now else hold.latest for hold in self._holds.values())
        return min(times, default=None)

    def revision(self, type_url: str) -> int:
        """Grows with every change of the type."""
        return self._revisions.get(type_url, 0)

    def held(self, type_url: str, key: str) -> bool:
        """Whether the removal of this name has to wait."""
        return type_url == CLUSTER and key in self._holds

    def all(self, type_url: str) -> Mapping[str, Resource]:
        """Everything of a type that a wildcard covers."""
        offered = self._offered.get(type_url, _NOTHING)
        if type_url != CLUSTER or not self._holds:
            return offered
        lingering = {name: hold.cluster for name, hold in self._holds.items() if hold.cluster is not None}
        return {**offered, **lingering}

    def get(self, type_url: str, key: str) -> Resource | None:
        """One resource; of a cluster that lives without endpoints, the assignment that says so."""
        found = self._offered.get(type_url, _NOTHING).get(key)
        if found is not None:
            return found
        hold = self._holds.get(key)
        if type_url == CLUSTER:
            return hold.cluster if hold else None
        if type_url == ENDPOINTS:
            return self._absent_endpoints(key, hold)
        return None

    def version(self, type_url: str) -> str:
        """The version of a type's whole offer."""
        return combined_version(tuple(self.all(type_url).values()))

    def _absent_endpoints(self, key: str, hold: Hold | None) -> Resource | None:
        if hold is not None:
            return hold.endpoints or (no_endpoints(key) if hold.cluster else None)
        return no_endpoints(key) if key in self._offered.get(CLUSTER, _NOTHING) else None

    def _touch(self, type_url: str) -> None:
        self._revisions[type_url] = self.revision(type_url) + 1
        if type_url == CLUSTER:  # whether an assignment exists follows from its cluster
            self._touch(ENDPOINTS)


@memo(256)
def combined_version(resources: tuple[Resource, ...]) -> str:
    """The version of several resources: equal content gives an equal one on every replica, whatever the order."""
    return version_of("\n".join(sorted(f"{item.name} {item.version}" for item in resources)).encode())


def _by_type(resources: tuple[Resource, ...]) -> dict[str, dict[str, Resource]]:
    offered: dict[str, dict[str, Resource]] = {}
    for item in resources:
        offered.setdefault(item.type_url, {})[canonical(item.name)] = item
    return offered
