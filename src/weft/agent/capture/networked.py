"""Capture without rights on the host: the application in a network of its own, with a relay to its sidecar.

Nothing on the host is changed, so nothing is left: the network ends with the last process in it.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from weft.agent.capture import namespaces
from weft.agent.capture.annotations import annotated
from weft.agent.capture.config import CaptureConfig, Mechanism
from weft.agent.capture.guardian import Guarded
from weft.agent.capture.host import run, tool
from weft.agent.capture.inside import Inside, inside_of
from weft.agent.capture.relay import DONE, READY
from weft.agent.child import Child, adopted
from weft.agent.config import AgentConfig
from weft.agent.ports import Plan
from weft.kit.errors import UserError

NETWORK = "network"
_TIMEOUT = 20.0
_GONE_TIMEOUT = 10.0
_OTHERWISE = "give it CAP_NET_ADMIN, or leave out --capture, and use HTTP_PROXY and --upstream"


class Networked:
    """The capture of one workload. ``doors`` are the open sockets of the ports by which others reach it, one for each
    of the plan's."""

    def __init__(self, config: AgentConfig, wanted: CaptureConfig, plan: Plan, doors: tuple[int, ...]) -> None:
        check(wanted, config.run_as, names=config.dns is not None)
        self._config = config
        self._wanted = wanted
        self._plan = plan
        self._doors = doors
        self._relay: Child | None = None
        self._control: socket.socket | None = None
        self._network: tuple[int, int] = (-1, -1)

    def follow(self, annotations: Mapping[str, str]) -> None:
        """Leave out, and take in, what annotations say besides the command line. Raises ``UserError``."""
        self._wanted = annotated(self._wanted, annotations)
        check(self._wanted, self._config.run_as, names=self._config.dns is not None)

    async def prepare(self) -> None:
        """Find out whether a network can be had. Raises ``UserError``."""
        if not tool("nft"):
            raise UserError("there is no nft", help="install nftables")
        if reason := (await run((sys.executable, "-m", "weft.agent.capture.namespaces"))).out.strip():
            raise refused(reason)

    async def install(self) -> None:
        """Make the network; when this returns, the application may start. Raises ``UserError``."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with its, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
            names.connect(("127.0.0.1", self._plan.dns))
            inside = self._inside(its.fileno(), names.fileno())
            files = (inside.control, inside.names, *self._doors)
            self._relay = await _start(msgspec.json.encode(inside).decode(), files)
        self._control = ours
        async with asyncio.timeout(_TIMEOUT):
            said = await asyncio.get_running_loop().sock_recv(ours, 4096)
        if said != READY:
            raise refused(said.decode(errors="replace") or "its relay does not start")
        self._enter()

    def adopt(self, guarded: Guarded) -> None:
        """Go on with a network that an earlier version of this agent made. Raises ``UserError``."""
        os.set_inheritable(guarded.pipe, False)
        self._control = socket.socket(fileno=guarded.pipe)
        self._control.setblocking(False)
        try:
            self._relay = adopted(guarded.guard, list)
            self._enter()
        except OSError as gone:
            raise UserError("the relay of the application's network has ended", help="start it again") from gone

    @property
    def guarded(self) -> Guarded | None:
        """What a newer version of this agent goes on with, once there is something."""
        if self._relay is None or self._control is None:
            return None
        return Guarded(guard=self._relay.pid, holder=0, pipe=self._control.fileno(), way=NETWORK)

    async def watch(self) -> None:
        """For ever: give the relay sockets of the host's. Raises ``UserError`` when it ends: nothing goes out then."""
        assert self._relay is not None
        assert self._control is not None
        asyncio.get_running_loop().add_reader(self._control, self._give)
        await self._relay.wait()
        raise UserError("the relay of the application's network was ended", help="start the workload again")

    async def remove(self) -> None:
        """End what still runs in the network, and so the network."""
        relay, control, self._relay, self._control = self._relay, self._control, None, None
        if relay is None or control is None:
            return
        asyncio.get_running_loop().remove_reader(control)
        with control, contextlib.suppress(OSError):
            control.send(DONE)
        for file in self._network:
            with contextlib.suppress(OSError):
                os.close(file)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_TIMEOUT):
                await relay.wait()
        relay.kill()

    def admit(self) -> None:
        """In the application's process, before its program: enter the network. Raises ``OSError``."""
        namespaces.join(*self._network)

    def _enter(self) -> None:
        assert self._relay is not None
        its = Path(f"/proc/{self._relay.pid}/ns")
        self._network = os.open(its / "user", os.O_RDONLY), os.open(its / "net", os.O_RDONLY)

    def _inside(self, control: int, names: int) -> Inside:
        plan, config = self._plan, self._config
        assert plan.capture is not None
        through = [one.bind_port for one in plan.outlets] + [one for one in (plan.http_proxy, plan.spans) if one]
        return inside_of(
            self._wanted,
            Inside(
                control=control,
                way=plan.capture.way,
                nft=tool("nft"),
                names=names,
                resolver=plan.dns,
                patience=config.stop_seconds,
                doors=tuple((file, inlet.own_port) for file, inlet in zip(self._doors, plan.inlets, strict=True)),
                addresses=tuple(one for one in (config.address,) if not one.startswith("127.") and one != "::1"),
                own_ports=tuple(inlet.own_port for inlet in plan.inlets),
                through=tuple(sorted({*through, plan.dns})),
            ),
        )

    def _give(self) -> None:
        """The relay asks for a socket of the host's, of IPv4 or of IPv6."""
        assert self._control is not None
        try:
            said = self._control.recv(16)
        except OSError:
            return
        if not said:
            asyncio.get_running_loop().remove_reader(self._control)
            return
        with socket.socket(socket.AF_INET6 if said == b"6" else socket.AF_INET) as given, contextlib.suppress(OSError):
            socket.send_fds(self._control, [b"."], [given.fileno()])


def check(wanted: CaptureConfig, run_as: str, *, names: bool) -> None:
    """Raises ``UserError`` for what cannot be had without rights on the host."""
    asked = {
        "--run-as": bool(run_as),
        "--no-dns": not names,
        "--include-inbound-ports": bool(wanted.include_inbound_ports) or wanted.every_inbound,
        "--exclude-inbound-ports": bool(wanted.exclude_inbound_ports),
        "--capture-at": bool(wanted.at),
        "--capture-with iptables": wanted.mechanism is Mechanism.IPTABLES,
    }
    if given := [option for option, said in asked.items() if said]:
        raise UserError(
            f"{given[0]} does not go with an application in a network of its own",
            help=f"leave it out, or capture with rights on the host: {_OTHERWISE}",
        )


def refused(reason: str) -> UserError:
    """Why there is no capture without rights on the host."""
    return UserError(
        f"capture needs root, CAP_NET_ADMIN or user namespaces, and those are refused here: {reason}", help=_OTHERWISE
    )


async def _start(told: str, files: tuple[int, ...]) -> Child:
    """It ends after us, when its way to us has."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "weft.agent.capture.relay", told),
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=files,
        start_new_session=True,
    )
    return Child(process, list)
