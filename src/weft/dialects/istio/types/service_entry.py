"""Istio's ServiceEntry."""

from typing import Literal

from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.wire import Many, Strings, UInt32, Wire, items, mapping, unset


class ServicePort(Wire):
    """A port of the service."""

    number: UInt32 | None = unset("Number that callers use.")
    protocol: str | None = unset("HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS; TCP if unset.", max_length=256)
    name: str | None = unset("Name of the port, unique in the service.", max_length=256)
    target_port: UInt32 | None = unset("Number on the endpoints, the same if unset.")


class WorkloadSelector(Wire):
    """Workloads by their labels."""

    labels: Strings = mapping("Labels that a workload must have, all of them.", max_length=256)


class ServiceEntry(Wire):
    """Hosts that the mesh shall know."""

    hosts: Many[str] = items("Names that callers use.", max_length=256)
    addresses: Many[str] = items("Virtual addresses, or address ranges, of the service.", max_length=256)
    ports: Many[ServicePort] = items("Ports of the service.", max_length=256)
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] | None = unset(
        "Whether the service is part of the mesh, MESH_EXTERNAL if unset."
    )
    resolution: Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] | None = unset(
        "How its endpoints are found, NONE if unset."
    )
    endpoints: Many[WorkloadEntry] = items("Its endpoints.", max_length=4096)
    workload_selector: WorkloadSelector | None = unset("Labels of the workloads that are its endpoints.")
    export_to: Many[str] = items("Namespaces that can see this: *, . for its own, or names; * if unset.")
    subject_alt_names: Many[str] = items("Names of which the server's certificate must have one.")
