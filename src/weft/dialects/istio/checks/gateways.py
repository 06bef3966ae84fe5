"""References to gateways."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.syntax import fault_in_domain, is_istio_label

MESH = "mesh"


def check_gateways(here: Here, gateways: Sequence[str]) -> Findings:
    """``mesh``, ``name`` or ``namespace/name`` (Istio: ``validateGatewayNames``)."""
    for index, gateway in enumerate(gateways):
        if gateway != MESH:
            yield from _check_gateway(here.at(index), gateway)


def _check_gateway(here: Here, gateway: str) -> Findings:
    namespace, slash, name = gateway.partition("/")
    if slash:
        if not (is_istio_label(namespace) and is_istio_label(name)):
            yield here.error("W0121", f'"{gateway[:120]}" names no gateway', "write namespace/name")
        return
    fault = fault_in_domain(gateway)
    if fault:
        yield here.error("W0121", f'"{gateway[:120]}" names no gateway', "write namespace/name, or mesh")
    elif "." in gateway:
        own, _, rest = gateway.partition(".")
        meant = f"{rest.partition('.')[0]}/{own}"
        yield here.warning("W0119", f'"{gateway[:120]}" is an old way to name a gateway', f'write "{meant}"')
