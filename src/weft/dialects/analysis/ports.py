"""Ports of Services: names that tell no protocol, and workloads that cannot be told apart by port."""

from collections.abc import Iterator

from weft.dialects.analysis.world import Offered, Runs, World
from weft.dialects.kubernetes.service_type import ServicePort
from weft.dialects.protocols import protocol_of, service_protocol
from weft.model.finding import Finding
from weft.model.service import Protocol

_SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage", "istio-system")


def analyse(world: World) -> Iterator[Finding]:
    """Istio: ``service.PortNameAnalyzer`` and ``deployment.MultiServiceAnalyzer``."""
    for offered in world.services:
        yield from _names(offered)
    for runs in world.deployments:
        yield from _shared(world, runs)


def _names(offered: Offered) -> Iterator[Finding]:
    outside = offered.spec.type == "ExternalName"
    if offered.thing.namespace in _SYSTEM:
        return
    for index, port in enumerate(offered.ports):
        path = ("spec", "ports", index)
        name, tells = port.name or "", _tells(port)
        if outside:
            if not name or (tells and _protocol(port) is Protocol.TCP):
                message = "connections to an ExternalName by a TCP port may go anywhere, for bytes carry no host"
                yield offered.thing.said("W0453", message, path, "name the port after its protocol: http, https, tls")
        elif not tells:
            message = f'the name "{name}" of port {port.port} tells no protocol, so it is TCP'
            advice = "call it <protocol>-<word>, such as http-web, or set appProtocol"
            yield offered.thing.said("W0452", message, path, advice, note=True)


def _tells(port: ServicePort) -> bool:
    if port.app_protocol or port.protocol == "UDP":
        return True
    name = port.name or ""
    return protocol_of(name) is not None or protocol_of(name.partition("-")[0]) is not None


def _protocol(port: ServicePort) -> Protocol:
    return service_protocol(port.name or "", port.protocol or "TCP", port.app_protocol)


def _shared(world: World, runs: Runs) -> Iterator[Finding]:
    thing = runs.thing
    mine = [
        (one, port)
        for one in world.services
        if one.thing.namespace == thing.namespace and one.spec.selector and runs.has(one.spec.selector)
        for port in one.ports
    ]
    path = ("metadata", "name")
    for at, (one, port) in enumerate(mine):
        for other, second in mine[:at]:
            if other is one:
                continue
            both = f"{other.thing.key} and {one.thing.key}"
            if port.port == second.port and _protocol(port) is not _protocol(second):
                message = f"{both} have port {port.port} of these workloads with different protocols"
                yield thing.said("W0454", message, path, "use one protocol, or one Service")
            if _target(port) == _target(second) and port.port != second.port:
                message = f"{both} lead to port {_target(port)} of these workloads by different ports"
                yield thing.said("W0455", message, path, "use the same port in both")


def _target(port: ServicePort) -> object:
    return port.target_port if port.target_port is not None else port.port
