"""Istio's WorkloadGroup."""

from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.wire import Int32, Many, Strings, UInt32, Wire, items, mapping, unset


class GroupMetadata(Wire):
    """What every entry of the group is given."""

    labels: Strings = mapping("Labels of the entries.", max_length=256)
    annotations: Strings = mapping("Annotations of the entries.", max_length=256)


class HttpHeader(Wire):
    """A header of a probe."""

    name: str | None = unset("Name of the header.")
    value: str | None = unset("Its value.")


class HttpProbe(Wire):
    """A request whose status tells."""

    path: str | None = unset("Path that is asked for.")
    port: UInt32 | None = unset("Port of the application.")
    host: str | None = unset("Host that is asked, the workload itself if unset.")
    scheme: str | None = unset("HTTP or HTTPS, HTTP if unset.")
    http_headers: Many[HttpHeader] = items("Headers of the request.")


class TcpProbe(Wire):
    """A connection that tells."""

    host: str | None = unset("Host to connect to, the workload itself if unset.")
    port: UInt32 | None = unset("Port of the application.")


class ExecProbe(Wire):
    """A command whose exit code tells."""

    command: Many[str] = items("The command and its arguments.")


class GrpcProbe(Wire):
    """A call of gRPC's health service."""

    port: UInt32 | None = unset("Port of the application.")
    service: str | None = unset("Name of the service that is asked about.")


class Probe(Wire):
    """How the agent learns whether the application is well."""

    initial_delay_seconds: Int32 | None = unset("Seconds before the first question.")
    timeout_seconds: Int32 | None = unset("Seconds that an answer may take, 1 if unset.")
    period_seconds: Int32 | None = unset("Seconds between questions, 10 if unset.")
    success_threshold: Int32 | None = unset("Good answers until it is well, 1 if unset.")
    failure_threshold: Int32 | None = unset("Bad answers until it is not, 3 if unset.")
    http_get: HttpProbe | None = unset("Ask by HTTP.")
    tcp_socket: TcpProbe | None = unset("Ask by connecting.")
    exec: ExecProbe | None = unset("Ask by a command.")
    grpc: GrpcProbe | None = unset("Ask by gRPC.")


class WorkloadGroup(Wire):
    """What the entries of workloads that register for the group have in common."""

    metadata: GroupMetadata | None = unset("Labels and annotations of the entries.")
    template: WorkloadEntry | None = unset("The rest of the entries.")
    probe: Probe | None = unset("How the agents learn whether the applications are well.")
