"""What ``weft run`` was asked to do, and how its short notations are read.

The command line writes an ``AgentConfig`` as JSON and becomes ``python -m weft.agent FILE``, so that the agent does
not carry the command line's libraries.
"""

import re
from enum import Enum
from pathlib import Path

import msgspec
from msgspec.structs import replace

from weft.agent.capture.config import CaptureConfig
from weft.kit.errors import UserError
from weft.kit.value import Labels, Value

PROTOCOLS = ("http", "http2", "grpc", "tcp")
DEFAULT_JOIN_URL = "https://127.0.0.1:7072"
MOST_CONNECTIONS = 20_000
MOST_HEAP = 512
_LAST_SECONDS = 15.0
_PORT_NAME = r"(?=[0-9-]*[a-z])[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_PORT = re.compile(
    rf"(?:(?P<name>{_PORT_NAME}):)?(?P<port>\d{{1,5}})(?::(?P<app>\d{{1,5}}|auto))?(?:/(?P<of>[a-z0-9]+))?"
)
_UPSTREAM = re.compile(r"(?:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)=)?(?P<host>[A-Za-z0-9.-]+):(?P<port>\d{1,5})")
_PATH = re.compile(r"/[\x21-\x7e]*")


class Restart(Enum):
    """When an application that ended is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class ProofKind(Enum):
    """What a workload proves itself with, the first time: all but SOCKET are in ``token_file``."""

    TOKEN = "token"
    KUBERNETES = "kubernetes"
    JWT = "jwt"
    SOCKET = "socket"


class AgentPort(Value):
    """A port of the service; the application listens on ``app_port`` of 127.0.0.1, 0 for a free one."""

    port: int
    app_port: int
    name: str = ""
    protocol: str = "http"

    @property
    def key(self) -> str:
        """The port's name in the service."""
        return self.name or f"{self.protocol}-{self.port}"


class Upstream(Value):
    """A service that gets a local port; the application finds its address in ``variable``."""

    host: str
    port: int
    variable: str


class ProbeKind(Enum):
    """How an application is asked whether it is well; NONE: it is as long as it runs."""

    HTTP = "http"
    TCP = "tcp"
    GRPC = "grpc"
    COMMAND = "command"
    NONE = "none"


class Probe(Value):
    """A health check. ``target`` is a path, a gRPC service or a shell command; times are seconds.

    ``port`` 0 is the application's first port; ``delay`` is how long it is left alone at first. HTTP with ``tls`` takes
    any certificate, as kubelets do; ``headers`` are sent with it.
    """

    kind: ProbeKind
    target: str = ""
    port: int = 0
    delay: float = 0.0
    interval: float = 2.0
    timeout: float = 1.0
    healthy_after: int = 1
    unhealthy_after: int = 3
    host: str = "127.0.0.1"
    tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class AppProbe(Value):
    """A probe that is made when a kubelet asks for its path."""

    path: str
    probe: Probe


class GatewayConfig(Value):
    """Where a gateway listens: on ``bind``, ports ``port_offset`` higher than documents say; ``health_port`` 0: none.
    More than ``most_connections`` clients at a time are turned away.

    ``trusted_hops`` are proxies before it whose ``x-forwarded-for`` is believed, ``proxy_protocol``: they begin with a
    PROXY header; ``http3``: HTTPS ports answer QUIC too; ``workers`` threads of its Envoy, 0: as documents say.
    """

    bind: str
    port_offset: int = 0
    trusted_hops: int = 0
    proxy_protocol: bool = False
    http3: bool = False
    health_port: int = 0
    workers: int = 0
    most_connections: int = MOST_CONNECTIONS


class Scraped(Value):
    """Where the application offers metrics of its own, on 127.0.0.1."""

    port: int
    path: str = "/metrics"


class DnsConfig(Value):
    """The resolver beside the application: where it answers (port 0: wherever there is room), and the ``servers``
    (address, port) that it asks, none: the host's. ``mark``: what the host's rules know its own questions by.
    """

    port: int = 0
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    servers: tuple[tuple[str, int], ...] = ()
    mark: int = 0


class AgentConfig(Value):
    """Everything an agent needs to know. Times are seconds; ``probe`` unset means the one of the ``group``, else TCP on
    the first port. ``metadata`` is what documents may ask of proxies beside labels;
    ``workers`` are threads of its Envoy, 0: as documents say. ``join_socket`` is the control plane's on this host,
    which is asked for the ``account`` of a ``namespace``. Prometheus is answered on ``scrape_port`` (0: not), also with
    the application's ``metrics``, and who asks whether it is ready on ``status_port`` (0: not).
    Without ``wait`` the application starts before its sidecar is ready. An Envoy that is replaced lives on for
    ``overlap_seconds``; an application that flaps is believed after ``flap_seconds`` and longer.
    ``health_interval`` and ``health_timeout`` are the check's where they are not 0.
    ``spiffe``: the application is served the Workload API.
    ``spans``: its spans go to the control plane by the sidecar.
    ``capture``: the application's connections are turned to the sidecar; ``run_as``: its user, ours if "".
    ``keep_output``: what it says on stdout is kept as what it says on stderr is, so stdout is a pipe.
    ``app_probes`` are answered to kubelets; ``http_proxy_port`` 0 is a free one. Its Envoy takes no more requests
    before its heap has ``most_heap`` MiB.

    With ``gateway`` there is no application, and ``service`` is the gateway's name.
    """

    service: str
    name: str
    command: tuple[str, ...]
    state_dir: Path
    version: str = ""
    ports: tuple[AgentPort, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    address: str = "127.0.0.1"
    http_proxy: bool = True
    http_proxy_port: int = 0
    app_probes: tuple[AppProbe, ...] = ()
    token_file: Path | None = None
    proof: ProofKind = ProofKind.TOKEN
    join_socket: Path | None = None
    namespace: str = ""
    account: str = ""
    scrape_port: int = 0
    metrics: Scraped | None = None
    keep_output: bool = False
    join_url: str = DEFAULT_JOIN_URL
    ca_file: Path | None = None
    ca_fingerprint: str = ""
    probe: Probe | None = None
    labels: Labels = ()
    weight: int = 0
    locality: str = ""
    group: str = ""
    envoy_path: Path | None = None
    drain_seconds: float = 5.0
    overlap_seconds: float = 30.0
    flap_seconds: float = 5.0
    status_port: int = 0
    health_interval: float = 0.0
    health_timeout: float = 0.0
    wait: bool = True
    stop_seconds: float = 10.0
    heartbeat_seconds: float = 5.0
    restart: Restart = Restart.NEVER
    gateway: GatewayConfig | None = None
    metadata: Labels = ()
    workers: int = 0
    spiffe: bool = False
    spans: bool = True
    capture: CaptureConfig | None = None
    run_as: str = ""
    dns: DnsConfig | None = None
    most_heap: int = MOST_HEAP

    @property
    def health(self) -> Probe:
        """The check to make."""
        probe = self.probe or Probe(kind=ProbeKind.TCP if self.ports else ProbeKind.NONE)
        interval, timeout = self.health_interval or probe.interval, self.health_timeout or probe.timeout
        return replace(probe, interval=interval, timeout=timeout)

    @property
    def ending_seconds(self) -> float:
        """How long the end may take, from the first signal on: the drain, the application's end, the sidecar's."""
        return self.drain_seconds + self.stop_seconds + _LAST_SECONDS


def read_config(path: Path) -> AgentConfig:
    """The configuration in a file that ``weft run`` wrote. Raises ``UserError``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AgentConfig, dec_hook=lambda _, text: Path(text))
    except (OSError, msgspec.MsgspecError) as wrong:
        reason = (isinstance(wrong, OSError) and wrong.strerror) or str(wrong)
        raise UserError(
            f"{path} is no agent's configuration ({reason.lower()})", help="start agents with: weft run"
        ) from wrong


def write_config(config: AgentConfig) -> bytes:
    """The JSON that ``read_config`` reads."""
    return msgspec.json.encode(config, enc_hook=str)


def parse_port(text: str, protocol: str = "http") -> AgentPort:
    """Read ``[NAME:]PORT[:APP_PORT][/PROTOCOL]``; APP_PORT ``auto`` means a free one. Raises ``UserError``."""
    found = _PORT.fullmatch(text)
    if found is None:
        raise UserError(f"{text!r} is no port", help="write [NAME:]PORT[:APP_PORT], as in http:9080:8080 or 9080:auto")
    protocol = found["of"] or protocol
    if protocol not in PROTOCOLS:
        raise UserError(f"{protocol!r} is no protocol", help=f"one of {', '.join(PROTOCOLS)}")
    port = _number(found["port"], text)
    match found["app"]:
        case None:
            app_port = port
        case "auto":
            app_port = 0
        case number:
            app_port = _number(number, text)
    return AgentPort(port=port, app_port=app_port, name=found["name"] or "", protocol=protocol)


def parse_metrics(text: str) -> Scraped:
    """Read ``PORT[:/PATH]``. Raises ``UserError``."""
    port, _, path = text.partition(":")
    if not port.isdecimal() or (path and not _PATH.fullmatch(path)):
        raise UserError(f"{text!r} is no place of metrics", help="write PORT[:/PATH], as in 8080:/metrics")
    return Scraped(port=_number(port, text), path=path or "/metrics")


def parse_upstream(text: str) -> Upstream:
    """Read ``[VARIABLE=]HOST:PORT``; the variable is ``WEFT_UPSTREAM_<HOST>`` if not given. Raises ``UserError``."""
    found = _UPSTREAM.fullmatch(text)
    if found is None:
        raise UserError(f"{text!r} is no upstream", help="write [VARIABLE=]HOST:PORT, as in orders:50051")
    host = found["host"].lower()
    default = "WEFT_UPSTREAM_" + re.sub(r"[^A-Z0-9]", "_", host.upper())
    return Upstream(host=host, port=_number(found["port"], text), variable=found["variable"] or default)


def parse_probe(text: str) -> Probe:
    """Read ``http:/PATH``, ``tcp``, ``grpc[:SERVICE]``, ``command:SHELL COMMAND`` or ``none``. Raises ``UserError``."""
    kind, _, target = text.partition(":")
    match kind:
        case "http" if _PATH.fullmatch(target):
            return Probe(kind=ProbeKind.HTTP, target=target)
        case "tcp" | "none" if not target:
            return Probe(kind=ProbeKind(kind))
        case "grpc":
            return Probe(kind=ProbeKind.GRPC, target=target)
        case "command" if target.strip():
            return Probe(kind=ProbeKind.COMMAND, target=target)
    raise UserError(
        f"{text!r} is no health check", help="http:/healthz, tcp, grpc, grpc:SERVICE, command:COMMAND or none"
    )


def _number(text: str, whole: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise UserError(f"{whole!r} has a port outside 1 to 65535", help="choose a port between 1 and 65535")
    return number
