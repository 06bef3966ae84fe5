"""Istio's WorkloadEntry, which is also the shape of a ServiceEntry's endpoints."""

from weft.dialects.wire import Strings, UInt32, Wire, mapping, unset


class WorkloadEntry(Wire):
    """One instance."""

    address: str | None = unset("IP address, host name, or unix:// and a path.", max_length=256)
    ports: dict[str, UInt32] = mapping("Number for each name of a port, in place of the service's.", max_length=128)
    labels: Strings = mapping("Labels that services and subsets choose instances by.", max_length=256)
    network: str | None = unset("Network of the address; instances of one network reach each other.", max_length=2048)
    locality: str | None = unset("Where it runs: region/zone/subzone.", max_length=2048)
    weight: UInt32 | None = unset("Share of the calls, relative to the other instances; 1 if unset.")
    service_account: str | None = unset("Account that it runs as.", max_length=253)
