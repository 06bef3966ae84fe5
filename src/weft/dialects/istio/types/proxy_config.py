"""Istio's ProxyConfig."""

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.wire import Int32, Strings, Wire, mapping, unset


class ProxyImage(Wire):
    """The image of a proxy."""

    image_type: str | None = unset("Type of the image.")


class ProxyConfig(Wire):
    """How proxies are started."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    concurrency: Int32 | None = unset("Worker threads of a proxy; 0 for one for each CPU.")
    environment_variables: Strings = mapping("Variables of the proxy's environment.")
    image: ProxyImage | None = unset("The image of the proxy.")
