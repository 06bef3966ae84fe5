"""Istio's PeerAuthentication."""

from typing import Literal

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.wire import Wire, mapping, unset


class MutualTls(Wire):
    """What callers must prove."""

    mode: Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] | None = unset("UNSET inherits, as does leaving it out.")


class PeerAuthentication(Wire):
    """What callers must prove to a workload."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    mtls: MutualTls | None = unset("What callers must prove.")
    port_level_mtls: dict[str, MutualTls] = mapping("What differs for single ports of the workload, by number.")
