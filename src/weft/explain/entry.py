"""Where an application's call enters its sidecar."""

from collections.abc import Iterator

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft.compiler.names import CAPTURED_OUTBOUND, statistics_name
from weft.explain.call import Call, State, Step
from weft.explain.captured import captured_entry
from weft.explain.configuration import Configuration, http_manager, tcp_proxies
from weft.explain.connection import fit_of
from weft.explain.gateway_entry import GATEWAY, gateway_entry, packets_entry
from weft.explain.matching import virtual_host_for

_INBOUND = "inbound"
_HTTP_PROXY = "http_proxy"


def entry_of(configuration: Configuration, call: Call) -> tuple[Listener | None, Step]:
    """The listener that a call reaches and why: the one bound to the called address, the HTTP proxy, or the local port
    that stands for the called host."""
    if call.scheme == "udp":
        return packets_entry(list(configuration.listeners.values()), call)
    if not configuration.listeners:
        details = ("a gateway opens the ports of the Gateways that select it and that rules lead on from",)
        return None, Step(name="listener", what="the proxy opens no port", state=State.FAILED, details=details)
    if edge := [one for one in configuration.listeners.values() if one.name.startswith(GATEWAY)]:
        return gateway_entry(edge, call)
    if CAPTURED_OUTBOUND in configuration.listeners and not _is_called_itself(configuration, call):
        return captured_entry(configuration, call)
    outbound = [one for one in configuration.listeners.values() if not one.name.startswith(_INBOUND)]
    for listener in outbound:
        if address_of(listener) == (call.host, call.port):
            return listener, _step(listener, "the call names its address")
    if call.scheme == "tcp":
        return _local_port(configuration, outbound, call)
    proxy = configuration.listeners.get(_HTTP_PROXY)
    if proxy is not None and call.scheme == "http":
        return proxy, _step(proxy, "the application's HTTP_PROXY")
    return _local_port(configuration, outbound, call)


def _is_called_itself(configuration: Configuration, call: Call) -> bool:
    """Whether a call goes to a listener that is bound to its address, or to the proxy that the application names."""
    listeners = configuration.listeners
    bound = [address_of(one) for one in listeners.values() if not one.HasField("bind_to_port")]
    if call.port is not None and (call.host, call.port) in bound:
        return True
    return _HTTP_PROXY in listeners and call.scheme == "http"


def address_of(listener: Listener) -> tuple[str, int]:
    """Address and port that a listener is bound to."""
    socket = listener.address.socket_address
    return (socket.address, socket.port_value)


def _local_port(configuration: Configuration, outbound: list[Listener], call: Call) -> tuple[Listener | None, Step]:
    for listener in outbound:
        if listener.name != _HTTP_PROXY and _stands_for(configuration, listener, call):
            return listener, _step(listener, f"the local port that stands for {call.authority}")
    details = tuple(f"there is {one.name} on {_text(one)}" for one in outbound)
    what = f"no local port stands for {call.authority}; start the workload with --upstream {call.authority}"
    return None, Step(name="listener", what=what, state=State.FAILED, details=details)


def _stands_for(configuration: Configuration, listener: Listener, call: Call) -> bool:
    if proxies := tcp_proxies(listener):
        return any(_takes(names, proxy.stat_prefix, call) for names, proxy in proxies)
    return any(_is_host(cluster, call) for cluster in _targets(configuration, listener, call))


def _takes(names: tuple[str, ...], prefix: str, call: Call) -> bool:
    """Whether a TCP proxy is for the called host: by the server names that it takes, or by its statistics, which are
    named after the target."""
    target = prefix.rpartition("|")[2] if names and fit_of(names, call.host) >= 0 else statistics_name(call.host)
    return _names(prefix, call.port, target, "_")


def _targets(configuration: Configuration, listener: Listener, call: Call) -> Iterator[str]:
    """The clusters that a local port leads to, by Istio's names: ``outbound|port|subset|host``."""
    manager = http_manager(listener)
    routes = configuration.routes_of(manager) if manager is not None else None
    if routes is None:
        return
    yield routes.name
    found = virtual_host_for(routes.virtual_hosts, call.authority)
    if found is not None:
        yield from (route.route.cluster for route in found[0].routes)


def _is_host(cluster: str, call: Call) -> bool:
    return _names(cluster, call.port, call.host, ".")


def _names(target: str, port: int | None, host: str, dot: str) -> bool:
    """Whether a target's name, ``outbound|port|subset|host``, is of a port and a host, the latter's end left out."""
    parts = target.split("|")
    return len(parts) == 4 and parts[1] == str(port) and (parts[3] == host or parts[3].startswith(f"{host}{dot}"))


def _step(listener: Listener, why: str) -> Step:
    return Step(name="listener", what=f"{listener.name} on {_text(listener)}", details=(why,), about=listener.name)


def _text(listener: Listener) -> str:
    address, port = address_of(listener)
    return f"{address}:{port}"
