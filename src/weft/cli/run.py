"""``weft run``: become the agent that supervises an application and its sidecar.

The process is replaced (``exec``) by ``python -m weft.agent``, so that nothing of the command line stays in memory.
"""

import os
import re
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

import click

from weft.agent.app_probes import VARIABLE, parse_app_probes
from weft.agent.capture.config import CaptureConfig
from weft.agent.config import (
    PROTOCOLS,
    AgentConfig,
    AgentPort,
    DnsConfig,
    Restart,
    parse_metrics,
    parse_port,
    parse_probe,
    parse_upstream,
    write_config,
)
from weft.agent.trust import doors_of
from weft.cli.capture_options import capture_options
from weft.cli.connection import running
from weft.cli.dns_options import dns_options
from weft.cli.errors import Usage
from weft.cli.hosted import host_for, token_of
from weft.cli.join_urls import join_url_option
from weft.cli.proof_options import proof_options
from weft.cli.run_life import life_options
from weft.kit.errors import UserError
from weft.kit.files import private_directory, write_whole
from weft.kit.state_dir import StateDir, default_state_dir
from weft.kit.value import Labels, labels_of

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SCRAPE_PORT = 15020
"""Istio's."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--service", required=True, help="The service that this is an instance of.")
@click.option("--version", default="", help="Its version, for subsets.")
@click.option("--name", default="", help="The workload's name; default: from service, version and chance.")
@click.option("--same-name", is_flag=True, help="Without --name: that of the last start here, with its certificate.")
@click.option(
    "--port", "ports", multiple=True, metavar="[NAME:]PORT[:APP_PORT][/PROTOCOL]", help="A port; APP_PORT may be auto."
)
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="http", show_default=True, help="Of the ports.")
@click.option("--upstream", "upstreams", multiple=True, metavar="[VAR=]HOST:PORT", help="A service with a local port.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="Where peers reach the sidecar; auto: by which it reaches the control plane.",
)
@proof_options
@join_url_option
@click.option("--ca-file", type=_FILE, help="Whom to trust, as PEM; default: the CA of this machine's control plane.")
@click.option("--ca-fingerprint", default="", help="Or: the SHA-256 of the CA's certificate.")
@click.option("--health", default="", metavar="CHECK", help="http:/PATH, tcp, grpc[:SERVICE], command:COMMAND, none.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of the workload.")
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="What EnvoyFilters may ask of the proxy.")
@click.option("--locality", default="", metavar="REGION/ZONE/SUBZONE", help="Where it runs.")
@click.option("--group", default="", metavar="NAME", help="The WorkloadGroup whose template and probe it follows.")
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Threads of its Envoy; default: a ProxyConfig's, else one."
)
@click.option(
    "--scrape-port",
    type=click.IntRange(0, 65535),
    help="Where Prometheus may ask; default: none, 15020 with --metrics.",
)
@click.option("--metrics", default="", metavar="PORT[:/PATH]", help="The application's metrics, given along.")
@click.option(
    "--keep-output/--no-keep-output",
    default=None,
    help="Keep what it writes to stdout, too, for weft logs; default: unless stdout is a terminal.",
)
@click.option("--weight", type=click.IntRange(0, 1_000_000), default=0, help="Its share of the service's load.")
@click.option("--envoy-path", type=_FILE, help="Another Envoy than the one that came with weft.")
@click.option("--drain-seconds", type=click.FloatRange(0, 3600), default=5.0, show_default=True)
@click.option("--restart", type=click.Choice([one.value for one in Restart]), default="never", show_default=True)
@click.option("--no-http-proxy", is_flag=True, help="Leave HTTP_PROXY out of the application's environment.")
@click.option(
    "--http-proxy-port", type=click.IntRange(0, 65535), default=0, help="Where HTTP_PROXY is; 0: a free port."
)
@click.option(
    "--app-probes", envvar=VARIABLE, default="", metavar="JSON", help="What kubelets are answered: weft inject."
)
@click.option("--spiffe", is_flag=True, help="Serve the application SPIFFE's Workload API, at SPIFFE_ENDPOINT_SOCKET.")
@capture_options
@dns_options
@life_options
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(
    service: str,
    version: str,
    name: str,
    same_name: bool,
    ports: tuple[str, ...],
    protocol: str,
    upstreams: tuple[str, ...],
    address: str,
    proof: dict[str, Any],
    join_url: str | None,
    ca_file: Path | None,
    ca_fingerprint: str,
    health: str,
    labels: tuple[str, ...],
    metadata: tuple[str, ...],
    locality: str,
    group: str,
    workers: int | None,
    scrape_port: int | None,
    metrics: str,
    keep_output: bool | None,
    weight: int,
    envoy_path: Path | None,
    drain_seconds: float,
    restart: str,
    no_http_proxy: bool,
    http_proxy_port: int,
    app_probes: str,
    spiffe: bool,
    capture: CaptureConfig | None,
    run_as: str,
    dns: DnsConfig | None,
    arguments: tuple[str, ...],
    life: dict[str, Any],
) -> None:
    """Run an application beside its own sidecar.

    `weft run --service web --port 8080 --token-file token -- python web.py`. The application finds its port in PORT,
    the mesh in HTTP_PROXY, and every upstream's address in a variable. With --capture it needs none of them.
    """
    state = default_state_dir()
    name = checked_name(name, "--name") if name else _invented(service, version, state if same_name else None)
    if host := host_for(state, proof, join_url, ca_file, ca_fingerprint):
        join_url, ca_file = host.join_url, host.roots
        proof = proof | {"token_file": token_of(state, host, name, proof.get("account") or service)}
    read_ports = _different(tuple(parse_port(text, protocol) for text in ports))
    extra = labels_given(labels)
    config = AgentConfig(
        service=checked_name(service, "--service"),
        name=name,
        command=arguments,
        state_dir=state.root,
        version=version,
        ports=read_ports,
        upstreams=tuple(parse_upstream(text) for text in upstreams),
        address=own_address(join_url or running(state).agents) if address == "auto" else address,
        http_proxy=not no_http_proxy and capture is None,
        http_proxy_port=http_proxy_port,
        app_probes=parse_app_probes(app_probes) if app_probes else (),
        join_url=join_url or running(state).agents,
        ca_file=trusted_ca(state, absolute(ca_file, "--ca-file"), ca_fingerprint),
        ca_fingerprint=ca_fingerprint,
        probe=parse_probe(health) if health else None,
        labels=extra,
        metadata=labels_given(metadata, "--metadata"),
        weight=weight,
        workers=workers or 0,
        scrape_port=(_SCRAPE_PORT if metrics else 0) if scrape_port is None else scrape_port,
        metrics=parse_metrics(metrics) if metrics else None,
        keep_output=not sys.stdout.isatty() if keep_output is None else keep_output,
        locality=locality,
        group=checked_name(group, "--group") if group else "",
        envoy_path=absolute(envoy_path, "--envoy-path"),
        drain_seconds=drain_seconds,
        restart=Restart(restart),
        spiffe=spiffe,
        capture=capture,
        run_as=run_as,
        dns=dns,
        **with_account(proof, service),
        **life,
    )
    become_agent(state, config)


def become_agent(state: StateDir, config: AgentConfig) -> None:
    """Replace this process by an agent."""
    directory = private_directory(state.root / "run")
    file = directory / f"{config.name}.json"
    write_whole(file, write_config(config))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "weft.agent", str(file)])  # noqa: S606  replacing this process is the point


def own_address(join_url: str) -> str:
    """The address of this host by which it reaches the control plane. Raises ``UserError``."""
    door, *others = doors_of(join_url)
    try:
        place = socket.getaddrinfo(door.host, door.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(place[0], socket.SOCK_DGRAM) as asking:
            asking.connect(place[4])  # nothing is sent
            return str(asking.getsockname()[0])
    except OSError as refused:
        if others:
            return own_address(join_url.partition(",")[2])
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"there is no way to {door.host} ({reason})", help="name this host's --address") from refused


def with_account(proof: dict[str, Any], service: str) -> dict[str, Any]:
    """The proof; a local process asks for the account of the service's name unless it names another."""
    return proof | {"account": proof["account"] or service} if "account" in proof else proof


def _invented(service: str, version: str, remembering: StateDir | None) -> str:
    """A name that nobody has; where it is remembered, that of the service's last start, of whatever version."""
    name = "-".join(part for part in (service, version, secrets.token_hex(3)) if part).lower()
    if remembering is None:
        return name
    file = private_directory(remembering.root / "names") / checked_name(service, "--service")
    if file.is_file():
        return checked_name(file.read_text().strip(), f"{file}: --name")
    write_whole(file, name.encode("ascii"))
    return name


def checked_name(name: str, option: str) -> str:
    """A name as it was given. Raises ``Usage``."""
    if not _NAME.fullmatch(name):
        raise Usage(f"{name!r} is not a name", help=f"{option} takes lower-case letters, digits, dashes and dots")
    return name


def _different(ports: tuple[AgentPort, ...]) -> tuple[AgentPort, ...]:
    """The ports, none of which may have another's number or name."""
    for at, port in enumerate(ports):
        if any(port.port == other.port or port.key == other.key for other in ports[:at]):
            raise Usage(f"port {port.port} or its name is given twice", help="give each --port its own number and name")
    return ports


def labels_given(texts: tuple[str, ...], option: str = "--label") -> Labels:
    """Pairs of the form KEY=VALUE. Raises ``Usage``."""
    pairs = [text.partition("=") for text in texts]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise Usage(f"{key!r} is no {option.removeprefix('--')}", help=f"write {option} key=value")
    return labels_of({key: value for key, _, value in pairs})


def absolute(path: Path | None, option: str) -> Path | None:
    """A file that is there, wherever the agent runs. Raises ``UserError``."""
    if path is None:
        return None
    if not path.is_file():
        raise UserError(f"there is no file {path}", help=f"check {option}")
    return path.absolute()


def trusted_ca(state: StateDir, named: Path | None, fingerprint: str) -> Path | None:
    """Never trust on first use: a file, a fingerprint, or the CA of this machine's own control plane."""
    if named is not None or fingerprint:
        return named
    if not state.bundle.is_file():
        raise UserError(
            "nothing says which control plane to trust",
            help="name its CA with --ca-file or --ca-fingerprint, or start one here with `weft up`",
        )
    return state.bundle
