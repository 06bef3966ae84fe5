"""What Istio says of the listeners of a Sidecar: ports, addresses, endpoints and imported hosts."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_port
from weft.dialects.istio.checks.destination_rule import check_connection_pool
from weft.dialects.istio.checks.workload_entry import UNIX
from weft.dialects.istio.types import sidecar as wire
from weft.dialects.istio.types.server_tls import ServerTlsSettings
from weft.dialects.protocols import protocol_of
from weft.dialects.syntax import fault_in_wildcard_domain, is_ip, is_istio_label
from weft.model.service import Protocol

_ENDPOINTS = ("127.0.0.1", "0.0.0.0", "[::1]", "[::]")  # noqa: S104  where an application may listen, not weft
_TLS = (Protocol.HTTPS, Protocol.TLS)


def check_ingress(here: Here, listeners: tuple[wire.IngressListener, ...]) -> Findings:
    """The ports that callers reach."""
    numbers: set[int] = set()
    for index, listener in enumerate(listeners):
        place, port = here.at(index), listener.port
        if port is None:
            yield place.error("W0105", "the port is missing", "set port", at_key=True)
        else:
            yield from _check_unique(place.at("port"), port.number or 0, numbers)
            yield from check_port(place.at("port", "number"), port.number or 0)
            yield from _check_words(place.at("port"), port)
        yield from _check_ip(place.at("bind"), listener.bind)
        yield from _check_endpoint(place.at("defaultEndpoint"), listener.default_endpoint or "")
        yield from _check_pool(place.at("connectionPool"), listener)
        yield from _check_tls(place.at("tls"), port, listener.tls)


def check_egress(here: Here, listeners: tuple[wire.EgressListener, ...], namespace: str) -> Findings:
    """What the application can call; ``namespace`` is the document's."""
    numbers: set[int] = set()
    sockets: set[str] = set()
    for index, listener in enumerate(listeners):
        place, bind = here.at(index), listener.bind or ""
        if listener.port is not None:
            yield from _check_egress_port(place, listener.port, listener)
            if listener.port.number:
                yield from _check_unique(place.at("port"), listener.port.number, numbers)
            elif bind in sockets:
                yield place.at("bind").error("W0117", f'"{bind[:120]}" is there twice')
            sockets.add(bind)
        elif index < len(listeners) - 1:
            message = "the listener without a port takes every call, so it must be the last"
            yield place.error("W0118", message, "move it to the end", at_key=True)
        yield from _check_imports(place, listener.hosts, namespace)


def _check_egress_port(here: Here, port: wire.SidecarPort, listener: wire.EgressListener) -> Findings:
    bind = listener.bind or ""
    yield from _check_words(here.at("port"), port)
    if port.number:
        yield from check_port(here.at("port", "number"), port.number)
        yield from _check_ip(here.at("bind"), bind)
    elif not bind.startswith(UNIX):
        advice = "set port.number, or bind: unix:// and a path"
        yield here.at("port").error("W0115", "a listener without a number needs a Unix socket", advice, at_key=True)
    else:
        yield from _check_path(here.at("bind"), bind)
        if listener.capture_mode == "IPTABLES":
            yield here.at("captureMode").error("W0106", "what is sent to a Unix socket cannot be captured")


def _check_unique(here: Here, number: int, taken: set[int]) -> Findings:
    if number in taken:
        yield here.at("number").error("W0117", f"several listeners have the port {number}")
    taken.add(number)


def _check_words(here: Here, port: wire.SidecarPort) -> Findings:
    if port.name and not is_istio_label(port.name):
        yield here.at("name").error("W0115", f'"{port.name[:80]}" is not a valid name of a port')
    if port.protocol and protocol_of(port.protocol) is None:
        advice = "use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS"
        yield here.at("protocol").error("W0102", f'"{port.protocol[:80]}" is no protocol', advice)


def _check_ip(here: Here, bind: str | None) -> Findings:
    if bind and not is_ip(bind):
        yield here.error("W0116", f'"{bind[:120]}" is not an IP address')


def _check_path(here: Here, address: str) -> Findings:
    path = address.removeprefix(UNIX)
    if not path.startswith(("/", "@")) or path.endswith("/"):
        yield here.error("W0116", f'"{path[:120]}" is not an absolute path of a file')


def _check_endpoint(here: Here, endpoint: str) -> Findings:
    if not endpoint:
        return
    if endpoint.startswith(UNIX):
        yield from _check_path(here, endpoint)
        return
    host, _, port = endpoint.rpartition(":")
    if host not in _ENDPOINTS:
        advice = f"use {', '.join(_ENDPOINTS)} with a port, or unix:// and a path"
        yield here.error("W0116", f'"{endpoint[:120]}" is not an address of the application', advice)
    elif not (port.isascii() and port.isdigit() and len(port) < 6):
        yield here.error("W0115", f'"{port[:80]}" is not a port', "use 1 to 65535")
    else:
        yield from check_port(here, int(port))


def _check_pool(here: Here, listener: wire.IngressListener) -> Findings:
    pool, port = listener.connection_pool, listener.port
    yield from check_connection_pool(here, pool)
    protocol = protocol_of(port.protocol or "") if port else None
    if pool and pool.http and protocol and not protocol.is_http:
        message = f"limits of requests have no effect on {protocol.value}"
        yield here.at("http").warning("W0128", message, "set tcp alone", at_key=True)


def _check_tls(here: Here, port: wire.SidecarPort | None, tls: ServerTlsSettings | None) -> Findings:
    """Istio has it behind a flag of its own that is off by default."""
    if tls is None:
        return
    if port is not None and protocol_of(port.protocol or "") not in _TLS:
        yield here.error("W0106", "the protocol of the port is not TLS", "use HTTPS or TLS", at_key=True)
    yield here.unserved("TLS of callers outside the mesh", "remove it; callers of the mesh have mutual TLS anyway")


def _check_imports(here: Here, hosts: tuple[str, ...], namespace: str) -> Findings:
    if not hosts:
        yield here.error("W0105", "the listener imports no hosts", "set hosts", at_key=True)
    kept: set[tuple[str, str]] = set()
    for index, text in enumerate(hosts):
        place = here.at("hosts", index)
        yield from check_import(place, text)
        space, _, host = text.partition("/")
        space = namespace if space == "." else space
        if not space.startswith("~"):
            yield from _check_superfluous(place, text, (space, host), kept)
            kept.add((space, host))


def _check_superfluous(here: Here, text: str, entry: tuple[str, str], kept: set[tuple[str, str]]) -> Findings:
    if ("*", "*") in kept or (entry == ("*", "*") and kept):
        yield here.warning("W0117", "*/* imports every host, so the others are superfluous", "keep one of them")
    elif entry in kept or (entry[0], "*") in kept:
        yield here.warning("W0117", f'"{text[:120]}" is imported already', "remove it")


def check_import(here: Here, text: str) -> Findings:
    """``namespace/host`` (Istio: ``ValidateNamespaceSlashWildcardHostname``)."""
    space, slash, host = text.partition("/")
    if not slash:
        yield here.error("W0107", f'"{text[:120]}" names no namespace', "write namespace/host, or */host")
        return
    if space not in ("*", ".", "~") and not is_istio_label(space.removeprefix("~")):
        yield here.error("W0107", f'"{space[:80]}" is not a namespace', "use *, ., ~ or the name of a namespace")
    if host == "*":
        return
    if fault := fault_in_wildcard_domain(host):
        yield here.error("W0107", fault)
    elif host.startswith("*") and not host.startswith("*."):
        yield here.error("W0107", f'"{host[:120]}" has a wildcard for a part of a name', "write *.<domain>")
    elif "." not in host:
        yield here.error("W0107", f'"{host[:120]}" is a short name', "write the full host name")
