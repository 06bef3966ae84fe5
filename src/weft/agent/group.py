"""What the control plane says of the group that a workload registers for: how the application is to be asked."""

import shlex
from pathlib import Path
from typing import Any

import msgspec

from weft.agent.config import Probe, ProbeKind
from weft.agent.http import HttpClient, Unanswered
from weft.agent.say import say
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.value import Value

_PERIOD, _TIMEOUT, _UNHEALTHY_AFTER = 10.0, 1.0, 3


_HERE = "127.0.0.1"


class _Header(Value):
    name: str
    value: str = ""


class _Http(Value, rename="camel"):
    port: int
    path: str = "/"
    host: str = ""
    scheme: str = ""
    http_headers: tuple[_Header, ...] = ()


class _Tcp(Value):
    port: int
    host: str = ""


class _Grpc(Value):
    port: int
    service: str = ""


class _Exec(Value):
    command: tuple[str, ...]


class _Probe(Value, rename="camel"):
    """Istio's ``ReadinessProbe``; 0 is the default, as in Kubernetes."""

    initial_delay_seconds: int = 0
    timeout_seconds: int = 0
    period_seconds: int = 0
    success_threshold: int = 0
    failure_threshold: int = 0
    http_get: _Http | None = None
    tcp_socket: _Tcp | None = None
    grpc: _Grpc | None = None
    exec: _Exec | None = None


async def group_probe(client: HttpClient, name: str) -> Probe | None:
    """The probe of a group, ``None`` where it has none. Raises ``UserError`` when there is no such group."""
    try:
        answer = await client.request("GET", f"/v1/groups/{name}")
    except Unanswered as away:
        raise UserError(f"the control plane does not tell of the group {name} ({away})", help="try again") from away
    if answer.status != 200:
        help_ = "apply the WorkloadGroup first, or run without --group"
        raise UserError(f"cannot register for the group {name}: {answer.refusal}", help=help_)
    return probe_of(answer.json().get("probe"))


async def group_annotations(client: HttpClient, name: str, kept: Path) -> dict[str, str]:
    """The annotations of a group's workloads; while the control plane is away, those of the last time, ``kept``."""
    try:
        answer = await client.request("GET", f"/v1/groups/{name}")
        if answer.status == 200:
            found = msgspec.json.encode(answer.json().get("annotations", {}))
            write_whole(kept, found)
    except Unanswered as away:
        say(f"the control plane does not tell of the group {name} ({away})")
    return _read(kept)


def _read(kept: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(kept.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def probe_of(said: dict[str, Any] | None) -> Probe | None:
    """A probe in Istio's words as the agent makes it. Raises ``UserError`` for one that it cannot make."""
    if said is None:
        return None
    try:
        probe = msgspec.convert(said, _Probe)
    except msgspec.ValidationError as wrong:
        raise UserError(f"the probe of the group is malformed: {wrong}", help="mend the WorkloadGroup") from wrong
    return msgspec.structs.replace(
        _way(probe),
        delay=float(probe.initial_delay_seconds),
        interval=float(probe.period_seconds or _PERIOD),
        timeout=float(probe.timeout_seconds or _TIMEOUT),
        healthy_after=probe.success_threshold or 1,
        unhealthy_after=probe.failure_threshold or _UNHEALTHY_AFTER,
    )


def _way(probe: _Probe) -> Probe:
    """How it asks, not when."""
    if (http := probe.http_get) is not None:
        return Probe(
            kind=ProbeKind.HTTP,
            target=http.path or "/",
            port=http.port,
            host=http.host or _HERE,
            tls=http.scheme == "HTTPS",
            headers=tuple((one.name, one.value) for one in http.http_headers),
        )
    if probe.tcp_socket is not None:
        return Probe(kind=ProbeKind.TCP, port=probe.tcp_socket.port, host=probe.tcp_socket.host or _HERE)
    if probe.grpc is not None:
        return Probe(kind=ProbeKind.GRPC, target=probe.grpc.service, port=probe.grpc.port)
    if probe.exec is not None:
        return Probe(kind=ProbeKind.COMMAND, target=shlex.join(probe.exec.command))
    return Probe(kind=ProbeKind.NONE)
