"""Which service the containers of a pod are, and on which ports: Services of the same files say it, or they do."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from weft.kit.value import Value

_PROTOCOLS = {
    "http": "http",
    "http2": "http2",
    "h2c": "http2",
    "grpc": "grpc",
    "tcp": "tcp",
    "https": "tcp",
    "tls": "tcp",
}
_APP_PROTOCOLS = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "tcp"}

_TCP = frozenset((25, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5672, 6379, 9042, 9092, 11211, 27017))
"""Numbers of protocols that are not HTTP: databases, queues, caches, mail."""


class Port(Value):
    """A port as callers name it, and where the application listens."""

    port: int
    app_port: int
    protocol: str
    name: str = ""
    sure: bool = True
    """Whether anybody said which protocol."""

    @property
    def notation(self) -> str:
        """As ``weft run --port`` takes it."""
        return f"{f'{self.name}:' if self.name else ''}{self.port}:{self.app_port}/{self.protocol}"


class Served(Value):
    """What a pod serves."""

    service: str
    ports: tuple[Port, ...]


def served_by(template: Mapping[str, Any], owner: str, namespace: str, services: Iterable[Mapping[str, Any]]) -> Served:
    """The Service whose selector chooses the pods of a template, else the pod's label ``app``, else its owner."""
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    containers = list(lasting(template.get("spec") or {}))
    chosen = [one for one in services if _chooses(one, labels, namespace)]
    if chosen:
        first = chosen[0]
        return Served(service=str(first["metadata"]["name"]), ports=tuple(_of_service(first, containers)))
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or owner
    return Served(service=str(name), ports=tuple(_of_containers(containers)))


def lasting(spec: Mapping[str, Any]) -> Iterator[MutableMapping[str, Any]]:
    """The containers that run as long as their pod: native sidecars of its own, and what they stand beside."""
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container
    yield from spec.get("containers") or ()


def numbers_of(containers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The containers' ports by name."""
    ports = (port for one in containers for port in one.get("ports") or ())
    return {str(port["name"]): int(port["containerPort"]) for port in ports if port.get("name")}


def protocol_of(name: str, said: str = "") -> str | None:
    """A port's protocol by ``appProtocol`` or by its name (``grpc``, ``http-web``), as Istio reads them."""
    if said:
        return _APP_PROTOCOLS.get(said, _PROTOCOLS.get(said.lower(), "tcp"))
    return _PROTOCOLS.get(name.partition("-")[0].lower())


def protocol_or_guess(name: str, said: str, number: int) -> tuple[str, bool]:
    """A port's protocol, and whether somebody said it: what says nothing is HTTP, unless its number is well known."""
    known = protocol_of(name, said)
    return (known, True) if known is not None else ("tcp" if number in _TCP else "http", number in _TCP)


def _chooses(service: Mapping[str, Any], labels: Mapping[str, str], namespace: str) -> bool:
    metadata, spec = service.get("metadata") or {}, service.get("spec") or {}
    selector = spec.get("selector") or {}
    if not selector or (metadata.get("namespace") or namespace) != namespace:
        return False
    return all(labels.get(key) == value for key, value in selector.items())


def _of_service(service: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> Iterator[Port]:
    named = numbers_of(containers)
    for port in service["spec"].get("ports") or ():
        if (port.get("protocol") or "TCP") != "TCP":
            continue
        target = port.get("targetPort") or port["port"]
        number = named.get(target) if isinstance(target, str) and not target.isdecimal() else int(target)
        if number is not None:
            name = str(port.get("name") or "")
            yield _port(int(port["port"]), number, name, str(port.get("appProtocol") or ""))


def _of_containers(containers: Sequence[Mapping[str, Any]]) -> Iterator[Port]:
    seen: set[int] = set()
    for container in containers:
        for port in container.get("ports") or ():
            number = int(port["containerPort"])
            if (port.get("protocol") or "TCP") == "TCP" and number not in seen:
                seen.add(number)
                yield _port(number, number, str(port.get("name") or ""), "")


def _port(port: int, app_port: int, name: str, said: str) -> Port:
    protocol, sure = protocol_or_guess(name, said, app_port)
    return Port(port=port, app_port=app_port, name=name, protocol=protocol, sure=sure)
