"""What Istio says of a Gateway, and what of it is not served."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_labels, check_port
from weft.dialects.istio.checks.server_tls import check_server_tls
from weft.dialects.istio.types.gateway import Gateway, Server, ServerPort
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.protocols import protocol_of
from weft.dialects.syntax import fault_in_wildcard_domain, is_dns_label, is_ip
from weft.model.service import Protocol

_UNIX = "unix://"
_ENCRYPTED = (Protocol.HTTPS, Protocol.TLS)
_OWN_HOST = re.compile(r"(?:127(?:\.[0-9]{1,3}){3}|\[::1\]):([0-9]{1,5})")
"""An endpoint on the gateway's own host."""
_PROTOCOLS = "use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS"


def check_gateway(spec: Gateway, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateGateway``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_labels(here.at("selector"), spec.selector)
    if not spec.servers:
        yield here.error("W0105", "there are no servers", "add servers", at_key=True)
    names: set[str] = set()
    for index, server in enumerate(spec.servers):
        place = here.at("servers", index)
        yield from _check_server(place, server)
        if server.port is not None:
            name = server.port.name or ""
            if name in names:
                yield place.at("port", "name").error("W0117", f'several ports are named "{name[:80]}"', "rename one")
            names.add(name)


def _check_server(here: Here, server: Server) -> Findings:
    yield from _check_hosts(here, server)
    bind, port = server.bind or "", server.port
    if port is None:
        yield here.error("W0105", "the server has no port", "add port", at_key=True)
    else:
        yield from _check_port(here.at("port"), port, bind)
        yield from _check_together(here, server, protocol_of(port.protocol or ""))
    if bind.startswith(_UNIX):
        yield here.at("bind").unserved("a Unix socket as bind", "bind an address")
    elif bind and not is_ip(bind):
        yield here.at("bind").error("W0116", f'"{bind[:80]}" is not an IP address')
    if server.tls is not None:
        yield from check_server_tls(here.at("tls"), server.tls)
    if server.default_endpoint:
        yield from _check_default(here.at("defaultEndpoint"), server.default_endpoint)


def _check_default(here: Here, endpoint: str) -> Findings:
    """A loopback address and a port; a socket could be the one by which the proxy itself is administered."""
    if endpoint.startswith(_UNIX):
        yield here.unserved("a Unix socket as defaultEndpoint", "use 127.0.0.1 and a port; the proxy's own are sockets")
        return
    found = _OWN_HOST.fullmatch(endpoint)
    if found is None or not is_ip(endpoint.rpartition(":")[0].strip("[]")):
        yield here.error(
            "W0116", f'"{endpoint[:120]}" is not an address of the gateway\'s own host', "use 127.0.0.1:PORT"
        )
    else:
        yield from check_port(here, int(found[1]))


def _check_hosts(here: Here, server: Server) -> Findings:
    if not server.hosts:
        yield here.error("W0105", "the server has no hosts", 'add hosts, "*" for all', at_key=True)
    for index, entry in enumerate(server.hosts):
        yield from _check_host(here.at("hosts", index), entry)


def _check_host(here: Here, entry: str) -> Findings:
    """Istio's ``validateNamespaceSlashWildcardHostname`` for gateways."""
    namespace, slash, rest = entry.partition("/")
    host = rest if slash else entry
    if slash and not (namespace and host):
        yield here.error("W0107", f'"{entry[:120]}" lacks a namespace or a host', "write namespace/host")
        return
    if slash and namespace not in ("*", ".") and not is_dns_label(namespace):
        yield here.error("W0107", f'"{namespace[:80]}" is not a namespace', "use *, . or the name of a namespace")
    if host == "*" or is_ip(host):
        return
    if "." not in host:
        yield here.error("W0107", f'"{host[:80]}" is a short name', "write the whole host name")
    elif fault := fault_in_wildcard_domain(host):
        yield here.error("W0107", fault)
    elif "*" in host and not host.startswith("*."):
        yield here.error("W0107", f'"{host[:120]}" has a wildcard for a part of a name', "write *.<domain>")


def _check_port(here: Here, port: ServerPort, bind: str) -> Findings:
    if bind.startswith(_UNIX):
        if port.number:
            yield here.at("number").error("W0115", "a Unix socket has no port", "remove number")
    else:
        yield from check_port(here.at("number"), port.number or 0)
    if not port.name:
        yield here.error("W0105", "the port has no name", "add name", at_key=True)
    if protocol_of(port.protocol or "") is None:
        yield here.at("protocol").error("W0102", f'"{(port.protocol or "")[:80]}" is no protocol', _PROTOCOLS)
    if port.target_port:
        yield here.at("targetPort").warning("W0128", "targetPort has no effect in a gateway", at_key=True)


def _check_together(here: Here, server: Server, protocol: Protocol | None) -> Findings:
    """Protocol and TLS: encrypted protocols need it, others have at most a redirect to https."""
    tls = server.tls
    if protocol is None:
        return
    if protocol is Protocol.UDP:
        yield here.at("port", "protocol").unserved("UDP", "no version of Istio serves it either; use a UDPRoute")
    if protocol in _ENCRYPTED:
        if tls is None:
            yield here.error("W0105", f"{protocol.value} needs tls", "add tls with a mode", at_key=True)
        elif tls.https_redirect:
            yield here.at("tls", "httpsRedirect").warning("W0128", "httpsRedirect is for HTTP servers", at_key=True)
        return
    if tls is not None and not (protocol.is_http and _only_redirects(server)):
        what = "HTTP" if protocol.is_http else protocol.value
        advice = "use the protocol HTTPS or TLS, or remove tls"
        yield here.at("tls").error("W0106", f"a server with {what} cannot have TLS", advice, at_key=True)


def _only_redirects(server: Server) -> bool:
    return server.tls is not None and server.tls.mode in (None, "PASSTHROUGH")
