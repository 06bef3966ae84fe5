"""Instances that answer for services."""

from weft.kit.value import Labels, Value, value_at
from weft.model.document import Origin

TLS_MODE_LABEL = "security.istio.io/tlsMode"
DRAINING = "Draining"
"""The reason why a workload is not called that is about to end."""


class Workload(Value):
    """One instance: Istio's ``WorkloadEntry``.

    ``ports`` maps port names to numbers, overriding the service's target port. ``weight`` 0 means unset (1).
    ``healthy`` is false when the agent that probes it said so; ``reason`` and ``message`` are what it said of it.
    """

    name: str
    namespace: str
    address: str
    origin: Origin
    ports: tuple[tuple[str, int], ...] = ()
    labels: Labels = ()
    account: str = ""
    locality: str = ""
    network: str = ""
    weight: int = 0
    healthy: bool = True
    reason: str = ""
    message: str = ""

    @property
    def draining(self) -> bool:
        """Whether it is about to end: it is called no more, and finishes what it has."""
        return not self.healthy and self.reason == DRAINING

    @property
    def meshed(self) -> bool:
        """Whether a sidecar answers in front of it, so that mutual TLS can be spoken.

        As istiod decides for a ``WorkloadEntry``: its label says so, or without the label, that it has an account.
        """
        said = value_at(self.labels, TLS_MODE_LABEL)
        return bool(self.account) if said is None else said == "istio"
