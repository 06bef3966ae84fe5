"""What Istio says of a WorkloadEntry."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_labels, check_port
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import fault_in_domain, is_dns_subdomain, is_ip, is_istio_label

UNIX = "unix://"


def check_workload_entry(spec: WorkloadEntry, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateWorkloadEntry``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_workload(here, spec)


def check_workload(here: Here, spec: WorkloadEntry) -> Findings:
    """An instance, whatever it belongs to."""
    address = spec.address or ""
    if not address:
        yield from check_no_address(here, spec)
    elif address.startswith(UNIX):
        yield from check_unix(here, spec)
    elif not is_ip(address) and fault_in_domain(address):
        advice = "ports have a field of their own" if ":" in address else ""
        yield here.at("address").error("W0116", f'"{address[:120]}" is neither an IP address nor a host name', advice)
    yield from check_rest(here, spec)


def check_no_address(here: Here, spec: WorkloadEntry) -> Findings:
    """An instance behind the gateway of a network needs no address."""
    if spec.network:
        yield here.warning("W0116", f'no address in the network "{spec.network[:80]}"', "set address", at_key=True)
    else:
        yield here.error("W0105", "the address is missing", "set address", at_key=True)


def check_unix(here: Here, spec: WorkloadEntry) -> Findings:
    """An absolute path of a file, or ``@`` and a name; it has no ports."""
    path = (spec.address or "").removeprefix(UNIX)
    if not path.startswith(("/", "@")) or path.endswith("/"):
        yield here.at("address").error("W0116", f'"{path[:120]}" is not an absolute path of a file')
    if spec.ports:
        yield here.at("ports").error("W0115", "a Unix socket has no ports", "remove ports", at_key=True)


def check_rest(here: Here, spec: WorkloadEntry) -> Findings:
    """Ports, labels and account."""
    for name, number in spec.ports.items():
        if not is_istio_label(name):
            yield here.at("ports", name).error("W0115", f'"{name[:80]}" is not a valid name of a port', at_key=True)
        yield from check_port(here.at("ports", name), number)
    yield from check_labels(here.at("labels"), spec.labels)
    if spec.service_account and not is_dns_subdomain(spec.service_account):
        yield here.at("serviceAccount").error("W0125", f'"{spec.service_account[:80]}" is no service account')
    if spec.locality and spec.locality.count("/") > 2:
        yield here.at("locality").warning("W0116", f'"{spec.locality[:80]}" has more than region/zone/subzone')
