"""``weft up``: the control plane in the foreground, until SIGTERM or Ctrl-C."""

import asyncio
import hashlib
import os
import signal
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from weft.cli.durations import DURATION
from weft.cli.errors import Told, Usage
from weft.cli.oidc_options import oidc_options
from weft.cli.talk import coloured, say
from weft.kit.state_dir import StateDir, default_state_dir

if TYPE_CHECKING:
    from weft.api.id_tokens import Oidc
    from weft.app.control_plane import Addresses, ControlPlane

_PORT = click.IntRange(0, 65_535)


@click.command()
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Directory of all that must last.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--api-port", type=_PORT, default=7070, show_default=True, help="For weft, kubectl and the like.")
@click.option("--xds-port", type=_PORT, default=7071, show_default=True, help="For sidecars.")
@click.option("--agent-port", type=_PORT, default=7072, show_default=True, help="For agents: join, renew, register.")
@click.option("--trust-domain", help="The mesh's name in identities, cluster.local if nothing says it.")
@click.option(
    "--mesh-config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Istio's MeshConfig: what holds where the ConfigMap istio of the root namespace says nothing.",
)
@click.option("--leaf-ttl", type=DURATION, default="24h", show_default=True, help="How long certificates are good.")
@click.option(
    "--encryption-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys for secrets at rest, the newest first; else WEFT_ENCRYPTION_KEY, else a file in the state directory.",
)
@click.option(
    "--ca-config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Who signs certificates, if it is not weft's own authority: files, Vault, a token, another service.",
)
@click.option("--limits-redis", metavar="URL", default="", help="The Redis that counts shared rate limits.")
@click.option("--prometheus-url", metavar="URL", default="", help="The Prometheus to ask for metrics, if there is one.")
@click.option("--traces-to", multiple=True, metavar="URL", help="A backend for spans, too: otlp+http://HOST:4318.")
@click.option(
    "--keys-from", multiple=True, metavar="CIDR", help="A network that is not public, asked for tokens' keys."
)
@click.option(
    "--attestation",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What proves workloads besides join tokens: Kubernetes, JWTs of issuers, local processes.",
)
@click.option(
    "--late-renewal",
    type=DURATION,
    default="30d",
    show_default=True,
    help="How long after its end a certificate can be renewed by the host that has its key.",
)
@click.option(
    "--workload-addresses", multiple=True, metavar="CIDR", help="Where workloads may claim others' addresses (NAT)."
)
@click.option(
    "--verdicts",
    type=click.Choice(["hardened", "istio"]),
    default="hardened",
    show_default=True,
    help="Whether access policies refuse what can be read in two ways, or are exactly Istio's.",
)
@click.option(
    "--client-ca-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CAs of the API's clients, as PEM: a certificate's CN is the user, its O are the groups.",
)
@click.option(
    "--client-crl-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What those CAs took back, as PEM; read again when it changes, as they are.",
)
@click.option(
    "--audit-ship",
    "audit_ships",
    multiple=True,
    metavar="URL",
    help="Where the audit log is copied to: syslog+tls://HOST, syslog+tcp://HOST, syslog+unix:///PATH, otlp+https://HOST.",
)
@click.option(
    "--alerts-to",
    multiple=True,
    metavar="KIND+URL",
    help="Who is told every alert: webhook+URL, slack+URL, alertmanager+URL; or KIND+@FILE, which holds it.",
)
@click.option(
    "--alert-networks",
    multiple=True,
    metavar="CIDR",
    help="A network that is not public, where documents may have alerts sent.",
)
@click.option("--anomalies/--no-anomalies", default=True, help="Whether sudden changes of traffic are looked for.")
@click.option("--hide", "hidden", multiple=True, metavar="NAME", help="What live requests never show: x-internal-*.")
@oidc_options
@click.option(
    "--namespaces",
    type=click.Choice(["together", "apart"]),
    default="together",
    show_default=True,
    help="Whether rules of one namespace about hosts and proxies of another hold there, as in Istio, or not.",
)
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), default="auto", show_default=True)
def command(
    state: Path | None,
    address: str,
    api_port: int,
    xds_port: int,
    agent_port: int,
    trust_domain: str | None,
    mesh_config: Path | None,
    leaf_ttl: float,
    encryption_key_file: Path | None,
    ca_config: Path | None,
    limits_redis: str,
    prometheus_url: str,
    traces_to: tuple[str, ...],
    keys_from: tuple[str, ...],
    attestation: Path | None,
    late_renewal: float,
    workload_addresses: tuple[str, ...],
    verdicts: str,
    client_ca_file: Path | None,
    client_crl_file: Path | None,
    audit_ships: tuple[str, ...],
    alerts_to: tuple[str, ...],
    alert_networks: tuple[str, ...],
    anomalies: bool,
    hidden: tuple[str, ...],
    oidc: "Oidc | None",
    namespaces: str,
    log_format: str,
) -> None:
    """Run the control plane in the foreground.

    A port of 0 takes a free one. SIGTERM and Ctrl-C end it in good order.
    """
    # Before anything imports gRPC: its fork handlers may deadlock, and its own log is no language for users.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from weft.kit.logs import load, set_up_logs

    load(log_format)
    from weft.alerting.targets import places_of
    from weft.api.client_files import ClientFiles
    from weft.app.control_plane import Config, ControlPlane
    from weft.attesting.choice import read_attestation
    from weft.ca.choice import Choice, read_choice
    from weft.ca.late import LONGEST_WINDOW
    from weft.cli.mesh_config import settings_in
    from weft.model.settings import PathNormalization, Settings
    from weft.observe.shipping.destination import destination_of

    if client_crl_file and not client_ca_file:
        raise Usage("--client-crl-file is of no use alone", help="name the authorities with --client-ca-file")
    set_up_logs(log_format)
    mesh = settings_in(mesh_config) if mesh_config else Settings()
    if verdicts == "istio":
        mesh = replace(mesh, hardened=False, paths=mesh.paths or PathNormalization.BASE)
    mesh = replace(mesh, apart=namespaces == "apart")
    config = Config(
        state=StateDir(root=state.expanduser().absolute()) if state else default_state_dir(),
        address=address,
        api_port=api_port,
        xds_port=xds_port,
        agent_port=agent_port,
        trust_domain=trust_domain or mesh.trust_domain,
        mesh=mesh,
        leaf_lifetime=leaf_ttl,
        encryption_key_file=encryption_key_file,
        limits_redis=limits_redis,
        prometheus_url=prometheus_url,
        traces_to=traces_to,
        keys_from=tuple(_network(text) for text in keys_from),
        oidc=oidc,
        audit_ships=tuple(destination_of(text) for text in audit_ships),
        alerts_to=places_of(alerts_to),
        alert_networks=tuple(_network(text) for text in alert_networks),
        anomalies=anomalies,
        hidden=hidden,
        attestation=read_attestation(attestation) if attestation else None,
        late_renewal=min(late_renewal, LONGEST_WINDOW),
        workload_addresses=tuple(_network(text) for text in workload_addresses),
        signer=read_choice(ca_config) if ca_config else Choice(),
        clients=ClientFiles(ca=client_ca_file, crl=client_crl_file) if client_ca_file else None,
    )
    last = asyncio.run(_run(ControlPlane(config), config.state, quiet=log_format == "json"))
    if last == signal.SIGINT:
        raise Told(130)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise Usage(f"{text} is no network", help="write it as 10.0.0.0/8") from None


async def _run(plane: "ControlPlane", state: StateDir, *, quiet: bool) -> int:
    """Run until a signal, and return which; a second one no longer waits for good order."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def stop(number: int) -> None:
        seen.append(number)
        plane.stop()
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(handled)

    for handled in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(handled, stop, handled)
    await plane.run(lambda addresses: None if quiet else _welcome(addresses, state))
    return seen[-1] if seen else 0


def _welcome(addresses: "Addresses", state: StateDir) -> None:
    say(f"{coloured('weft is ready', 'ok')}: API {addresses.api}, xDS {addresses.xds}, agents {addresses.agents}")
    say(f"state in {state.root}: token in {state.admin_token.name}, CA in {state.bundle.relative_to(state.root)}")
    say(f"the CA's fingerprint: sha256:{_fingerprint(state.bundle)}")
    say("try next, in another terminal:")
    if state.root != default_state_dir().root:
        say(f"  export WEFT_STATE={state.root}")
    say("  weft token create --namespace shop --service-account web --ttl 10m > token")
    say("  weft run --service web --port 8080 --token-file token -- python -m http.server 8080")
    say('  kubectl --kubeconfig "$(weft kubeconfig)" get services -A')


def _fingerprint(certificate: Path) -> str:
    """What agents on other hosts take as ``--ca-fingerprint``."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))).hexdigest()
