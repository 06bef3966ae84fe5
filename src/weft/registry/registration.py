"""What a workload says of itself, checked: the body of ``PUT /v1/workloads/{name}``."""

import ipaddress
import re
from typing import Annotated

import msgspec

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.service import Protocol

LARGEST = 64 * 1024
_LABEL_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT_NAME = re.compile(_LABEL_NAME)
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL_NAME}(\.{_LABEL_NAME})*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(rf"({_NAME.pattern}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_LOCALITY = re.compile(r"[A-Za-z0-9._/-]{0,253}")
_MOST_PORTS = 64
_MOST_LABELS = 64
PROTOCOLS = {
    "http": Protocol.HTTP,
    "http2": Protocol.HTTP2,
    "grpc": Protocol.GRPC,
    "tcp": Protocol.TCP,
}

Number = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class BadRegistration(PeerError):
    """A registration that cannot become documents; the message names the field."""


class RegisteredPort(Value, forbid_unknown_fields=True):
    """A port of the service; peers reach this workload's sidecar for it at ``bind_port``."""

    port: Number
    bind_port: Number
    protocol: str = "http"
    name: str = ""

    @property
    def key(self) -> str:
        """The port's name in the service."""
        return self.name or f"{self.protocol}-{self.port}"


class Registration(Value, forbid_unknown_fields=True):
    """A workload as its agent reports it, with every heartbeat in full. ``weight`` 0 means unset.

    ``meshed``: its proxy takes the mesh's TLS for every port; a gateway says itself what its ports take.
    ``flapping``: it is not healthy because it was ill too often of late: ``ill_times``. It will be believed to be well
    at ``held_until``, in seconds since the epoch; 0 means unknown.
    ``group`` names the ``WorkloadGroup`` whose template fills in what is unset.
    """

    service: str
    address: str
    version: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    ports: tuple[RegisteredPort, ...] = ()
    weight: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    locality: str = ""
    group: str = ""
    healthy: bool = True
    drain: bool = False
    flapping: bool = False
    ill_times: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    held_until: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)] = 0
    meshed: bool = True

    @property
    def serves(self) -> bool:
        """Whether peers should send requests now."""
        return self.healthy and not self.drain


def parse_registration(body: bytes) -> Registration:
    """The registration in a body. Raises ``BadRegistration``."""
    try:
        said = msgspec.json.decode(body, type=Registration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as malformed:
        raise BadRegistration(str(malformed)[:200].lower()) from malformed
    _check_names(said)
    _check_address(said.address)
    _check_ports(said.ports)
    return said


def check_name(name: str) -> None:
    """Raise ``BadRegistration`` unless this can be the name of a document."""
    if not _NAME.fullmatch(name):
        raise BadRegistration("the workload's name is no lower-case DNS name")


def _check_names(said: Registration) -> None:
    if not _SERVICE_NAME.fullmatch(said.service):
        raise BadRegistration("service is no lower-case DNS label")
    if said.group and not _NAME.fullmatch(said.group):
        raise BadRegistration("group is no lower-case DNS name")
    if not _LABEL_VALUE.fullmatch(said.version):
        raise BadRegistration("version is no label value")
    if not _LOCALITY.fullmatch(said.locality):
        raise BadRegistration("locality is not region/zone/subzone")
    if len(said.labels) > _MOST_LABELS:
        raise BadRegistration(f"labels has more than {_MOST_LABELS} entries")
    for key, value in said.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise BadRegistration(f"labels has an entry that is no label: {key[:80]!r}")


def _check_address(text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadRegistration("address is no IP address") from None
    if address.is_unspecified or address.is_multicast or (address.is_reserved and address.version == 4):
        raise BadRegistration("address is none that peers can connect to")


def _check_ports(ports: tuple[RegisteredPort, ...]) -> None:
    if len(ports) > _MOST_PORTS:
        raise BadRegistration(f"ports has more than {_MOST_PORTS} entries")
    for port in ports:
        if port.protocol not in PROTOCOLS:
            raise BadRegistration(f"ports has a protocol that is none of {', '.join(PROTOCOLS)}")
        if port.name and not _PORT_NAME.fullmatch(port.name):
            raise BadRegistration("ports has a name that is no DNS label")
    for field in (tuple(port.key for port in ports), tuple(port.port for port in ports)):
        if len(set(field)) != len(field):
            raise BadRegistration("ports has the same port twice")
