"""``weft gateway``: proxies at the mesh's edge."""

from pathlib import Path
from typing import Any

import click

from weft.agent.config import MOST_CONNECTIONS, MOST_HEAP, AgentConfig, GatewayConfig
from weft.cli.connection import running
from weft.cli.join_urls import join_url_option
from weft.cli.proof_options import proof_options
from weft.cli.run import absolute, become_agent, checked_name, labels_given, trusted_ca, with_account
from weft.kit.state_dir import default_state_dir
from weft.kit.value import Labels, labels_of

_FILE = click.Path(path_type=Path, dir_okay=False)
_HEALTH_PORT = 15_021
_GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  what users may say


@click.group()
def command() -> None:
    """Run proxies at the mesh's edge."""


@command.command("run")
@click.option("--name", required=True, help="The gateway's name.")
@click.option("--gateway", help="The Gateway (of Gateway API) that it belongs to, in its own namespace.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label that Gateway selectors ask for.")
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="What EnvoyFilters may ask of the proxy.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address of its ports.")
@click.option("--address", help="Where the mesh reaches it, for services that select it; default: --bind.")
@click.option("--port-offset", type=click.IntRange(0, 64_511), default=0, help="Open every port so much higher.")
@click.option("--health-port", type=click.IntRange(0, 65_535), help="Where health checks ask; 0: nowhere.")
@click.option(
    "--scrape-port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Where Prometheus reads the gateway's metrics, on --address; 0: nowhere.",
)
@click.option("--trusted-hops", type=click.IntRange(0, 64), default=0, help="Proxies before it that are believed.")
@click.option("--proxy-protocol", is_flag=True, help="Connections begin with a PROXY header.")
@click.option("--http3", is_flag=True, help="HTTPS ports answer QUIC too, on the same UDP port.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Threads of its Envoy; default: as a ProxyConfig says, else one for each CPU.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1, 10_000_000),
    default=MOST_CONNECTIONS,
    show_default=True,
    help="How many clients may be connected; more are turned away.",
)
@click.option(
    "--max-heap",
    type=click.IntRange(64, 1_048_576),
    default=MOST_HEAP,
    show_default=True,
    metavar="MIB",
    help="What its Envoy's heap may have; before that, it takes no requests.",
)
@proof_options
@join_url_option
@click.option("--ca-file", type=_FILE, help="Whom to trust, as PEM; default: the CA of this machine's control plane.")
@click.option("--ca-fingerprint", default="", help="Or: the SHA-256 of the CA's certificate.")
@click.option("--envoy-path", type=_FILE, help="Another Envoy than the one that came with weft.")
@click.option("--drain-seconds", type=click.FloatRange(0, 3600), default=5.0, show_default=True)
@click.option("--stop-seconds", type=click.FloatRange(0, 3600), default=10.0, show_default=True)
def run(
    name: str,
    gateway: str | None,
    labels: tuple[str, ...],
    metadata: tuple[str, ...],
    bind: str,
    address: str | None,
    port_offset: int,
    health_port: int | None,
    scrape_port: int,
    trusted_hops: int,
    proxy_protocol: bool,
    http3: bool,
    workers: int | None,
    max_connections: int,
    max_heap: int,
    proof: dict[str, Any],
    join_url: str | None,
    ca_file: Path | None,
    ca_fingerprint: str,
    envoy_path: Path | None,
    drain_seconds: float,
    stop_seconds: float,
) -> None:
    """Run a gateway.

    `weft gateway run --name ingress --label istio=ingressgateway --token-file token`. It opens the ports that Gateway
    documents with a matching selector ask for; with --gateway those of a Gateway of Gateway API. Health checks are
    answered on port 15021 and the offset.
    """
    state = default_state_dir()
    config = AgentConfig(
        service=gateway or name,
        name=checked_name(name, "--name"),
        command=(),
        state_dir=state.root,
        address=address or ("127.0.0.1" if bind in _EVERYWHERE else bind),
        http_proxy=False,
        join_url=join_url or running(state).agents,
        ca_file=trusted_ca(state, absolute(ca_file, "--ca-file"), ca_fingerprint),
        ca_fingerprint=ca_fingerprint,
        labels=_labels(labels, gateway),
        metadata=labels_given(metadata, "--metadata"),
        envoy_path=absolute(envoy_path, "--envoy-path"),
        drain_seconds=drain_seconds,
        stop_seconds=stop_seconds,
        scrape_port=scrape_port,
        most_heap=max_heap,
        gateway=GatewayConfig(
            bind=bind,
            port_offset=port_offset,
            trusted_hops=trusted_hops,
            proxy_protocol=proxy_protocol,
            http3=http3,
            health_port=_HEALTH_PORT + port_offset if health_port is None else health_port,
            workers=workers or 0,
            most_connections=max_connections,
        ),
        **with_account(proof, gateway or name),
    )
    become_agent(state, config)


def _labels(texts: tuple[str, ...], gateway: str | None) -> Labels:
    """The labels that are given, and the one by which a proxy belongs to a Gateway."""
    own = {_GATEWAY_NAME: checked_name(gateway, "--gateway")} if gateway else {}
    return labels_of(dict(labels_given(texts)) | own)
