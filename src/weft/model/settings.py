"""Mesh-wide settings, with Istio's defaults (MeshConfig)."""

from weft.kit.value import Value
from weft.model.route import Retries


class Settings(Value):
    """What holds for the whole mesh. ``connect_timeout`` is milliseconds."""

    trust_domain: str = "cluster.local"
    root_namespace: str = "istio-system"
    domain_suffix: str = "cluster.local"
    connect_timeout: int = 10_000
    default_retries: Retries = Retries()
    allow_any: bool = True
    auto_mtls: bool = True
