"""Classes of gateways, and gateways in the model's words: the proxies of their namespace that carry their name."""

from collections.abc import Iterable, Sequence

from weft.dialects.link_listeners import FAMILIES, Site
from weft.dialects.parts import BUILT_IN_CLASS, CONTROLLER, GATEWAY_LABEL, ClassPart, GatewayPart
from weft.dialects.verdicts import Verdict
from weft.kit.value import Labels
from weft.model.credential import Credential
from weft.model.gateway import Gateway, Server, ServerHost

_ANY = "*"


class Classes:
    """Which classes are weft's: those whose controller it is, and one that needs no document."""

    def __init__(self, parts: Iterable[ClassPart]) -> None:
        self._controllers = {BUILT_IN_CLASS: CONTROLLER} | {part.name: part.controller for part in parts}

    def serve(self, gateway: GatewayPart) -> bool:
        """Whether weft serves a gateway."""
        return self._controllers.get(gateway.class_name) == CONTROLLER


def gateway_verdicts(gateway: GatewayPart) -> tuple[Verdict, ...]:
    """What keeps a gateway as a whole from being served."""
    found = []
    if gateway.parameters is not None:
        message = f"weft has no parameters for gateways, so {gateway.parameters} cannot be one"
        found.append(_verdict("InvalidParameters", message, ("spec", "infrastructure", "parametersRef"), "remove it"))
    for index, (kind, _) in enumerate(gateway.addresses):
        if kind != "IPAddress":
            path = ("spec", "addresses", index, "type")
            found.append(_verdict("UnsupportedAddress", f"an address cannot be a {kind}", path, "use an IPAddress"))
    return tuple(found)


def _verdict(reason: str, message: str, path: tuple[str | int, ...], advice: str) -> Verdict:
    return Verdict(type="Accepted", reason=reason, message=message, code="W0279", path=path, help=advice)


def model_gateway(gateway: GatewayPart, sites: Sequence[Site], certificate: Credential | None = None) -> Gateway:
    """A gateway with the listeners that can be served, at each of its addresses."""
    binds = tuple(value for _, value in gateway.addresses if value) or ("",)
    return Gateway(
        origin=gateway.origin,
        namespace=gateway.namespace,
        name=gateway.name,
        selector=_selector(gateway),
        proxies_of=gateway.namespace,
        certificate=certificate,
        labels=gateway.labels,
        servers=tuple(_server(index, site, bind) for index, site in enumerate(sites) if site.served for bind in binds),
    )


def _selector(gateway: GatewayPart) -> Labels:
    return ((GATEWAY_LABEL, gateway.name),)


def _server(index: int, site: Site, bind: str) -> Server:
    listener = site.listener
    family = FAMILIES[listener.protocol]
    return Server(
        port=listener.port,
        port_name=site.section,
        protocol=family.protocol,
        hosts=(ServerHost(host=listener.hostname or _ANY),),
        index=index,
        bind=bind,
        tls=site.tls,
        section=site.section,
    )
