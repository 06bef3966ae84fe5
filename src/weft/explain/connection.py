"""Which of a listener's filter chains takes a connection that is passed on as bytes, and where that leads."""

from collections.abc import Generator, Iterator

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft.explain.actions import Share
from weft.explain.call import Call, State, Step
from weft.explain.configuration import tcp_proxies

_TLS = ("https", "tls")
_SHOWN_NAMES = 12


def connection_shares(listener: Listener, call: Call) -> Generator[Step, None, tuple[Share, ...]]:
    """Where a connection goes; a listener of one chain has nothing to decide."""
    proxies = tcp_proxies(listener)
    if len(proxies) == 1 and not proxies[0][0]:
        yield from _tunnel_step(proxies[0][1])
        return shares_of_proxy(proxies[0][1])
    name = call.host.lower() if call.scheme in _TLS else ""
    ranked = [(fit_of(names, name), names, proxy) for names, proxy in proxies]
    rank, names, proxy = max(ranked, key=lambda one: one[0])
    if rank < 0:
        asked = f"asks for {name}" if name else "names no server"
        known = ", ".join([one for names, _ in proxies for one in names][:_SHOWN_NAMES])
        what = f"no rule takes a connection that {asked}: it is closed"
        yield Step(name="route", what=what, state=State.FAILED, details=(f"rules are for {known}",))
        return ()
    why = f"the client asks for {name}" if names else "it takes every other connection"
    yield Step(name="route", what=", ".join(names[:_SHOWN_NAMES]) or "any server name", details=(why,))
    yield from _tunnel_step(proxy)
    return shares_of_proxy(proxy)


def _tunnel_step(proxy: TcpProxy) -> Iterator[Step]:
    tunnel = proxy.tunneling_config
    if tunnel.hostname:
        how = "POST" if tunnel.use_post else "CONNECT"
        why = "the connection travels inside of a request to the destination"
        yield Step(name="tunnel", what=f"{how} {tunnel.hostname}", details=(why,))


def shares_of_proxy(proxy: TcpProxy) -> tuple[Share, ...]:
    """The clusters of a TCP proxy."""
    if proxy.WhichOneof("cluster_specifier") == "cluster":
        return (Share(cluster=proxy.cluster, percent=100.0),)
    clusters = proxy.weighted_clusters.clusters
    total = sum(one.weight for one in clusters) or 1
    return tuple(Share(cluster=one.name, percent=100.0 * one.weight / total) for one in clusters)


def fit_of(names: tuple[str, ...], wanted: str) -> int:
    """How well a chain's names fit, -1 not at all: exact, then the longest wildcard, then no names (Envoy)."""
    if not names:
        return 0
    fitting = [one for one in names if one == wanted or (one.startswith("*.") and wanted.endswith(one[1:]))]
    return max((len(one) + (0 if one.startswith("*") else 1000) for one in fitting), default=-1)
