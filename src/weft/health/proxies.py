"""How proxies are: whether they have what they should, and what they refused."""

from collections.abc import Iterable, Iterator

from weft.kit.value import value_at
from weft.model.health import Check, Level
from weft.model.mesh import Mesh
from weft.model.workload import Workload
from weft.xds.fleet import ProxyStatus
from weft.xds.status import SyncState, TypeStatus

GROUP = "proxies"
_MANAGED_BY, _US = "app.kubernetes.io/managed-by", "weft"


def settled(proxies: tuple[ProxyStatus, ...]) -> Iterator[Check]:
    """One line for those that are well, in each namespace, and one for each that is not."""
    for namespace in sorted({one.identity.namespace for one in proxies}):
        yield from _of_namespace(namespace, [one for one in proxies if one.identity.namespace == namespace])


def absent(mesh: Mesh | None, proxies: Iterable[ProxyStatus]) -> tuple[Workload, ...]:
    """Workloads whose agents tell of them, and whose proxies are not connected: they go on with what they have."""
    connected = {one.name for one in proxies}
    told = (one for one in (mesh.workloads if mesh else ()) if value_at(one.labels, _MANAGED_BY) == _US)
    return tuple(one for one in told if f"{one.name}.{one.namespace}" not in connected)


def missed(workloads: Iterable[Workload]) -> Iterator[Check]:
    """A line for each of these."""
    for one in workloads:
        about = f"{one.name}.{one.namespace} is registered and its proxy is not connected: it goes on with what it has"
        help_ = "see `weft proxy here` on its host, which tells since when its configuration is an old one"
        yield Check(
            name="proxy-absent", group=GROUP, level=Level.WARN, message=about, help=help_, namespace=one.namespace
        )


def _of_namespace(namespace: str, proxies: list[ProxyStatus]) -> Iterator[Check]:
    wrong = [check for proxy in proxies if (check := _of(proxy)) is not None]
    about = f"{len(proxies) - len(wrong)} of {len(proxies)} sidecars have what they should in {namespace}"
    yield Check(name="proxies-synced", group=GROUP, level=Level.OK, message=about, namespace=namespace)
    yield from wrong


def _of(proxy: ProxyStatus) -> Check | None:
    refused = [one for one in proxy.types if one.state is SyncState.NACK]
    if refused:
        said = "; ".join(f"{_name(one)}: {one.error}" for one in refused)
        help_ = f"see `weft proxy config {_name(refused[0])} {proxy.name}`"
        return _check("proxy-nack", Level.FAIL, proxy, f"{proxy.name} refused its {said}", help_)
    late = [_name(one) for one in proxy.types if one.state is SyncState.STALE]
    if late:
        about = f"{proxy.name} has not accepted its {', '.join(late)} yet"
        return _check("proxy-stale", Level.WARN, proxy, about, "see `weft proxy status`, and the load of its host")
    if proxy.findings:
        about = f"{proxy.name} keeps what it had: {proxy.findings[0].message}"
        return _check("proxy-kept", Level.WARN, proxy, about, proxy.findings[0].help)
    return None


def _check(name: str, level: Level, proxy: ProxyStatus, message: str, help_: str) -> Check:
    space = proxy.identity.namespace
    return Check(name=name, group=GROUP, level=level, message=message, help=help_, namespace=space)


def _name(one: TypeStatus) -> str:
    """The name of a type as ``weft proxy config`` takes it."""
    return _NAMES.get(one.type_url.rpartition(".")[2], one.type_url.rpartition(".")[2])


_NAMES = {
    "Cluster": "clusters",
    "ClusterLoadAssignment": "endpoints",
    "Listener": "listeners",
    "RouteConfiguration": "routes",
    "TypedExtensionConfig": "extensions",
}
