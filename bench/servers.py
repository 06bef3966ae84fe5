"""The programs that weft is compared with, as processes."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import static
from bench.certificates import write_pair
from bench.load import Place, get, once
from weft.demo.processes import Process, free_port, until
from weft.kit.envoy_binary import find_envoy
from weft.kit.value import Value

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class Way(Value):
    """A way for a request to the application: where it begins and which proxies (label, pid) it crosses."""

    place: Place
    proxies: tuple[tuple[str, int], ...] = ()


@contextmanager
def running(
    name: str, command: list[str], directory: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A process for as long as the block lasts."""
    process = Process(name, command, directory / f"{name}.log", environment or {})
    try:
        yield process
    finally:
        process.ask_to_end()
        process.wait(STOP_SECONDS)


def envoy_command(name: str, config: static.Json, directory: Path) -> list[str]:
    """How an Envoy of one worker is started on a static configuration."""
    file = directory / f"{name}.json"
    file.write_text(json.dumps(config))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    return [str(find_envoy().path), "--config-path", str(file), *options]


@contextmanager
def application(directory: Path) -> Iterator[int]:
    """The application behind every path: its port."""
    port = free_port()
    with running("application", envoy_command("application", static.backend(port), directory), directory) as process:
        wait_for(port, process)
        yield port


@contextmanager
def bare_hop(application_port: int, directory: Path) -> Iterator[Way]:
    """One Envoy."""
    port = free_port()
    with running("hop", envoy_command("hop", static.hop(port, application_port), directory), directory) as process:
        wait_for(port, process)
        yield _path(port, ("proxy", process))


@contextmanager
def bare_pair(application_port: int, directory: Path) -> Iterator[Way]:
    """Two Envoys with mutual TLS between them."""
    port, between = free_port(), free_port()
    out, into = _tls(directory)
    commands = [
        envoy_command("inbound", static.inbound(between, application_port, into), directory),
        envoy_command("outbound", static.outbound(port, between, out), directory),
    ]
    with running("inbound", commands[0], directory) as server, running("outbound", commands[1], directory) as caller:
        wait_for(port, caller, server)
        yield _path(port, ("out", caller), ("in", server))


@contextmanager
def haproxy_hop(application_port: int, directory: Path) -> Iterator[Way]:
    """One HAProxy. Ask ``haproxy_program`` first."""
    port = free_port()
    file = directory / "haproxy.cfg"
    file.write_text(static.haproxy(port, application_port))
    with running("haproxy", [haproxy_program() or "haproxy", "-db", "-f", str(file)], directory) as process:
        wait_for(port, process)
        yield _path(port, ("proxy", process))


def haproxy_program() -> str | None:
    """Where HAProxy is; Debian keeps it in /usr/sbin, which is not on everybody's path."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def _path(port: int, *proxies: tuple[str, Process]) -> Way:
    pids = tuple((label, process.pid) for label, process in proxies)
    return Way(place=Place(port=port, request=get("/", "server")), proxies=pids)


def wait_for(port: int, *processes: Process) -> None:
    """Return once a port answers. Raises ``Failed`` when it does not, or a process ends."""
    place = Place(port=port, request=get("/", "server"))
    until(lambda: once(place), f"{processes[0].name} did not answer", START_SECONDS, processes)


def _tls(directory: Path) -> tuple[static.Tls, static.Tls]:
    bundle = write_pair(directory, static.CALLER, static.SERVER)
    sides = [(directory / f"{n}.crt", directory / f"{n}.key") for n in (0, 1)]
    out, into = (
        static.Tls(certificate=certificate, key=key, bundle=bundle, peer=peer)
        for (certificate, key), peer in zip(sides, (static.SERVER, static.CALLER), strict=True)
    )
    return out, into
