"""Local ports for the sidecar and the application.

Two Envoys that listen on one port with SO_REUSEPORT silently share its connections. So the agent keeps each of its
sidecar's ports bound, without listening, for as long as it runs: nobody who asks for a free port gets one of them,
and the sidecar, which sets the same options, can take it again after a crash.
"""

import random
import socket
from pathlib import Path

from weft.agent.capture.host import has_ipv6
from weft.agent.capture.scope import is_apart
from weft.agent.config import AgentConfig, AgentPort, DnsConfig, Upstream
from weft.kit.errors import UserError
from weft.kit.value import Value

_ATTEMPTS = 200
_LOWEST = 12_000
_FEWEST = 1_000
_DNS = 15_053
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Inlet(Value):
    """A port with its numbers: peers come to ``bind_port``, the application is reached by ``app_port``.

    ``inside`` is where it listens in a network of its own (0: it has none).
    """

    port: AgentPort
    bind_port: int
    app_port: int
    inside: int = 0

    @property
    def own_port(self) -> int:
        """Where the application listens."""
        return self.inside or self.app_port


class Outlet(Value):
    """An upstream and its local port."""

    upstream: Upstream
    bind_port: int


class CapturePorts(Value):
    """Where captured connections arrive, what the application opens and what others open to it, on all addresses.

    ``way`` is a Unix socket instead of both, for an application in a network of its own.
    """

    outbound: int
    inbound: int
    way: str = ""


class Plan(Value):
    """Every local port of one sidecar. With ``capture``, peers come to the application's own ports; the
    application sends its ``spans`` there."""

    inlets: tuple[Inlet, ...]
    outlets: tuple[Outlet, ...]
    http_proxy: int | None
    capture: CapturePorts | None = None
    spans: int | None = None
    dns: int = 0


def asked_at(plan: Plan, own_port: int) -> int:
    """The port of this host by which one of the application's own is asked. Raises ``UserError``."""
    if plan.capture is None or not plan.capture.way:
        return own_port
    for inlet in plan.inlets:
        if inlet.own_port == own_port:
            return inlet.app_port
    raise UserError(
        f"port {own_port} cannot be asked: the application has a network of its own, and nobody declared it",
        help=f"declare it: --port {own_port}",
    )


_NOTHING = Plan(inlets=(), outlets=(), http_proxy=None)


class Ports:
    """The ports of one agent, bound until ``close``."""

    def __init__(self, chance: random.Random, inherited: tuple[int, ...] = ()) -> None:
        self._chance = chance
        self._held = [socket.socket(fileno=number) for number in inherited]
        self._kept_for_application: list[socket.socket] = []

    def plan(self, config: AgentConfig, before: Plan | None = None, way: Path | None = None) -> Plan:
        """Choose and hold every port that the sidecar needs, those of the run before where they are free.

        ``way`` is a path for a Unix socket, should the application have a network of its own.
        Raises ``UserError`` for an address that is not ours.
        """
        had = before or _NOTHING
        apart = is_apart(config.capture)
        captured = config.capture is not None and not apart
        inlets = tuple(
            self._inlet_apart(config.address, port, had) if apart else self._inlet(config.address, port, captured, had)
            for port in config.ports
        )
        outlets = tuple(
            Outlet(upstream=upstream, bind_port=self._again("127.0.0.1", _outlet_of(had, upstream)))
            for upstream in config.upstreams
        )
        return Plan(
            inlets=inlets,
            outlets=outlets,
            http_proxy=self._proxy(config, had) if config.http_proxy else None,
            capture=self._captures(config, had, way),
            spans=self._again("127.0.0.1", had.spans or 0) if config.spans else None,
            dns=self._for_names(config.dns, had.dns) if config.dns else 0,
        )

    @property
    def doors(self) -> tuple[int, ...]:
        """The open files that hold the application's ports, until it starts."""
        return tuple(held.fileno() for held in self._kept_for_application)

    @property
    def files(self) -> tuple[int, ...]:
        """The open files that hold the sidecar's ports."""
        return tuple(held.fileno() for held in self._held)

    def release_application(self) -> None:
        """Let go of the application's own ports, just before it starts."""
        for held in self._kept_for_application:
            held.close()
        self._kept_for_application.clear()

    def close(self) -> None:
        """Let go of all ports."""
        self.release_application()
        for held in self._held:
            held.close()
        self._held.clear()

    def _inlet(self, address: str, port: AgentPort, captured: bool, had: Plan) -> Inlet:
        known = next((one for one in had.inlets if one.port == port), None)
        app_port = port.app_port or self._free(known.app_port if known else 0)
        bind_port = app_port if captured else self._again(address, known.bind_port if known else 0)
        return Inlet(port=port, bind_port=bind_port, app_port=app_port)

    def _inlet_apart(self, address: str, port: AgentPort, had: Plan) -> Inlet:
        """An application in a network of its own is reached by a door, so peers can come to the number of its port."""
        known = next((one for one in had.inlets if one.port == port), None)
        door = self._free(known.app_port if known else 0)
        inside = port.app_port or door
        return Inlet(port=port, bind_port=self._again(address, inside), app_port=door, inside=inside)

    def _captures(self, config: AgentConfig, had: Plan, way: Path | None) -> CapturePorts | None:
        if config.capture is None:
            return None
        if is_apart(config.capture):
            return CapturePorts(outbound=0, inbound=0, way=str(way))
        turned = had.capture or CapturePorts(outbound=0, inbound=0)
        return CapturePorts(outbound=self._hold_all(turned.outbound), inbound=self._hold_all(turned.inbound))

    def _proxy(self, config: AgentConfig, had: Plan) -> int:
        """A port that was asked for is refused where another sidecar has it: calls would go out in either's name."""
        if asked := config.http_proxy_port:
            if not _is_free("127.0.0.1", asked):
                raise UserError(f"port {asked} of 127.0.0.1 is taken", help="choose another --http-proxy-port, or none")
            return self._hold("127.0.0.1", asked)
        return self._again("127.0.0.1", had.http_proxy or 0)

    def _again(self, address: str, wanted: int) -> int:
        """Hold a port, the wanted one if nobody has it."""
        return self._hold(address, wanted if wanted and _is_free(address, wanted) else 0)

    def _hold_all(self, wanted: int = 0) -> int:
        """A port of all addresses, of both families where there are both."""
        return self._again("::" if has_ipv6() else "0.0.0.0", wanted)  # noqa: S104  redirected connections come to any

    def _hold(self, address: str, port: int = 0) -> int:
        held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self._held.append(held)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            held.setsockopt(socket.SOL_SOCKET, option, 1)
        if address == "::":
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            held.bind((address, port))
        except OSError as refused:
            raise UserError(
                f"the sidecar cannot listen on {address} ({(refused.strerror or str(refused)).lower()})",
                help="give an --address of this host",
            ) from refused
        number: int = held.getsockname()[1]
        return number

    def _for_names(self, wanted: DnsConfig, had: int) -> int:
        """The resolver's port, of UDP and of TCP: the one asked for, the one of before, the usual one, any."""
        if wanted.port:
            return wanted.port
        any_ = (self._chance.randrange(_LOWEST, _ephemeral()) for _ in range(_ATTEMPTS))
        for number in (had or _DNS, *any_):
            if _has_room(number) and self._claims(number):
                return number
        raise UserError("no port of 127.0.0.1 is free for the resolver", help="give one: --dns-port")

    def _claims(self, number: int) -> bool:
        """Whether no agent of this host, or container, that starts in this moment takes the same port."""
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0weft-resolver-{number}")
        except OSError:
            claim.close()
            return False
        self._held.append(claim)
        return True

    def _free(self, wanted: int = 0) -> int:
        """A port for the application, outside the range from which the kernel takes ports for others."""
        for attempt in range(_ATTEMPTS):
            number = wanted if wanted and not attempt else self._chance.randrange(_LOWEST, _ephemeral())
            held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, number == wanted)
            try:
                held.bind(("127.0.0.1", number))
            except OSError:
                held.close()
                continue
            self._kept_for_application.append(held)
            return number
        raise UserError("no port of 127.0.0.1 is free for the application", help="end what is no longer needed")


def _has_room(number: int) -> bool:
    """Whether a port is free for packets and for connections."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return _is_free("127.0.0.1", number)


def _ephemeral() -> int:
    """The first port that the kernel gives to those who ask for any."""
    try:
        return max(int(_RANGE.read_text().split()[0]), _LOWEST + _FEWEST)
    except (OSError, ValueError, IndexError):
        return 32768


def _outlet_of(plan: Plan, upstream: Upstream) -> int:
    """The port that an upstream had, 0 when it had none."""
    return next((one.bind_port for one in plan.outlets if one.upstream == upstream), 0)


def _is_free(address: str, number: int) -> bool:
    """Whether nobody listens on a port; connections of the run before that have ended count for nothing."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
        except OSError:
            return False
    return True
