"""How a proxy names what it counts: short in the proxy, spelled out as Istio does where it is read.

Every label of a statistic costs the proxy some tenths of a microsecond for each call, and most of Istio's 25 follow
from few: who counts is known to whoever asks, and a peer is one text of five parts. Proxies count under
``STATISTICS``; ``weft.model.standard_metrics`` makes Istio's names of them. The agent, the compiler and the control
plane share this.
"""

from weft.kit.value import Labels, Value, value_at

SOURCE, DESTINATION = "source", "destination"
STATISTICS = "mesh"
"""What the names of statistics begin with; then who reports, then what is counted."""
PEER_HEADER = "x-weft-peer"
"""The caller's sidecar says its workload in it; the callee's takes it away before the application."""
PEER_VARIABLE = "WEFT_PEER"
"""The variable of a proxy's environment that has its own workload."""
UNKNOWN = "unknown"
ADDED, REMOVED = "x_", "removed"
"""What the name of a label begins with that Telemetry adds, and the label that names those that it takes away."""
LONGEST_PEER = 256
ROUTE = "#"
"""Between the cluster and the name of the route that led there, in the label ``service`` of what callers count."""
_CLUSTER = "Kubernetes"
_CANONICAL_NAME, _CANONICAL_REVISION = "service.istio.io/canonical-name", "service.istio.io/canonical-revision"
_WORKLOAD_NAME = "service.istio.io/workload-name"
_APP, _VERSION = "app", "version"


_SIDE = ("workload", "workload_namespace", "app", "version", "cluster", "canonical_service", "canonical_revision")
_DERIVED = {
    "service": ("destination_service", "destination_service_name", "destination_service_namespace", "route"),
    "code": ("response_code",),
    "grpc": ("grpc_response_status", "request_protocol"),
    "flags": ("response_flags",),
}


def derived(label: str, reporter: str) -> tuple[str, ...]:
    """Istio's labels that follow from one of a statistic and are not the same for all that a reporter counts."""
    other = DESTINATION if reporter == SOURCE else SOURCE
    if label == "peer":
        return tuple(f"{other}_{part}" for part in _SIDE)
    if label == "principal":
        return (f"{other}_principal", *(("connection_security_policy",) if reporter == DESTINATION else ()))
    return _DERIVED[label]


class Peer(Value):
    """A workload as metrics name it; the fields are Istio's (``source_workload``, ``source_app``, ...).

    ``workload`` stands for all instances alike, as a Deployment does: its label ``service.istio.io/workload-name``,
    else its app and version.
    """

    workload: str = UNKNOWN
    namespace: str = UNKNOWN
    service: str = UNKNOWN
    revision: str = UNKNOWN
    cluster: str = UNKNOWN

    @property
    def text(self) -> str:
        """Its five parts, as endpoints carry them in Istio (metadata ``istio``, ``workload``)."""
        return ";".join((self.workload, self.namespace, self.service, self.revision, self.cluster))


NOBODY = Peer()


def peer_of(name: str, namespace: str, labels: Labels) -> Peer:
    """A workload by the labels that it registers with."""
    app = value_at(labels, _CANONICAL_NAME) or value_at(labels, _APP) or ""
    version = value_at(labels, _CANONICAL_REVISION) or value_at(labels, _VERSION) or ""
    workload = value_at(labels, _WORKLOAD_NAME) or "-".join(part for part in (app, version) if part) or name
    return Peer(
        workload=_clean(workload),
        namespace=namespace,
        service=_clean(app or workload),
        revision=_clean(version or "latest"),
        cluster=_CLUSTER,
    )


def parse_peer(text: str) -> Peer:
    """The workload in a text; ``NOBODY`` where it is none."""
    parts = text.split(";")
    if len(parts) != 5 or not all(parts) or len(text) > LONGEST_PEER:
        return NOBODY
    workload, namespace, service, revision, cluster = parts
    return Peer(workload=workload, namespace=namespace, service=service, revision=revision, cluster=cluster)


def _clean(text: str) -> str:
    return text.replace(";", "_")


MILLISECOND_BOUNDS = (
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
)  # fmt: skip
"""The bounds of Istio's histograms, which are Envoy's, whatever the unit."""
