"""The certificate that a gateway shows services which want to be spoken to in TLS (Gateway API: ``tls.backend``)."""

from collections.abc import Mapping

from msgspec.structs import replace

from weft.kit.value import first
from weft.model.credential import Credential
from weft.model.gateway import Placed
from weft.model.service import Service
from weft.view.view import Outbound, Upstream


def with_certificate(outbound: Outbound, servers: list[Placed], services: Mapping[str, Service]) -> Outbound:
    """What a gateway can call, with the certificate of the first of its documents that names one."""
    shown = first(one.gateway.certificate for one in servers if one.gateway.certificate is not None)
    if shown is None:
        return outbound
    return replace(outbound, upstreams=tuple(_showing(one, shown, services) for one in outbound.upstreams))


def _showing(upstream: Upstream, shown: Credential, services: Mapping[str, Service]) -> Upstream:
    """A destination rule's TLS is the rule's alone; only what the service itself wants is answered so."""
    service = services.get(upstream.target.host)
    port = service.port(upstream.target.port) if service else None
    if port is None or port.tls is None or upstream.tls != port.tls:
        return upstream
    return replace(upstream, tls=replace(port.tls, credential=shown))
