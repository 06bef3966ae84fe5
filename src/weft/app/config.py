"""What can be chosen of a control plane, and where it is reached."""

import re
import socket
from pathlib import Path

from weft.alerting.targets import Place
from weft.api.client_files import ClientFiles
from weft.api.id_tokens import Oidc
from weft.attesting.choice import Attestation
from weft.ca.authority import DEFAULT_LIFETIME
from weft.ca.choice import Choice
from weft.ca.late import DEFAULT_WINDOW
from weft.jwks.places import Network
from weft.kit.errors import UserError
from weft.kit.state_dir import StateDir
from weft.kit.value import Value
from weft.model.settings import Settings
from weft.observe.shipping.destination import Destination

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")


class Config(Value):
    """What can be chosen. A port of 0 takes a free one; ``leaf_lifetime`` is seconds.

    ``mesh`` are the settings where the store's MeshConfig says nothing, the trust domain apart.
    ``limits_redis`` is the address of the Redis that counts shared limits, "" to count in memory. ``keys_from`` are
    networks that are not public and may be asked for the keys of token issuers. ``oidc`` is who says who people are,
    ``clients`` whose certificates they may show. ``audit_ships`` is where the audit log is copied to.
    In ``workload_addresses`` a workload may claim an address that it does not come from.
    ``late_renewal`` is how many seconds after its end a certificate can be renewed by whoever has its key.
    ``attestation``: what proves workloads besides join tokens.
    ``signer`` is who signs for workloads. ``prometheus_url`` is the Prometheus that queries go to, "" for none.
    ``traces_to`` are the backends that get a copy of every span. ``alerts_to`` are told every alert; ``alert_networks``
    are not public, and documents may have alerts sent there. ``anomalies``: whether sudden changes are looked for.
    ``hidden`` are patterns of names whose values are not shown of live requests, beside the usual ones.
    """

    state: StateDir
    address: str = "127.0.0.1"
    api_port: int = 7070
    xds_port: int = 7071
    agent_port: int = 7072
    trust_domain: str = "cluster.local"
    mesh: Settings = Settings()
    leaf_lifetime: float = DEFAULT_LIFETIME
    encryption_key_file: Path | None = None
    limits_redis: str = ""
    keys_from: tuple[Network, ...] = ()
    oidc: Oidc | None = None
    workload_addresses: tuple[Network, ...] = ()
    late_renewal: float = DEFAULT_WINDOW
    attestation: Attestation | None = None
    signer: Choice = Choice()
    clients: ClientFiles | None = None
    prometheus_url: str = ""
    traces_to: tuple[str, ...] = ()
    audit_ships: tuple[Destination, ...] = ()
    alerts_to: tuple[Place, ...] = ()
    alert_networks: tuple[Network, ...] = ()
    anomalies: bool = True
    hidden: tuple[str, ...] = ()


class Addresses(Value):
    """Where a running control plane is reached: URLs for the API and the agents, ``host:port`` for xDS.

    And where its users log in: an OpenID provider, and the client that the control plane is there.
    """

    api: str
    xds: str
    agents: str
    oidc_issuer_url: str = ""
    oidc_client_id: str = ""


def check_trust_domain(name: str) -> None:
    """SPIFFE-ID, section 2.1. Raises ``UserError``."""
    if not _TRUST_DOMAIN.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be a trust domain",
            help="--trust-domain takes lower-case letters, digits, dots, dashes and underscores",
        )


def hosts_of(address: str) -> tuple[str, ...]:
    """The names in the listeners' certificates besides localhost."""
    return (socket.gethostname(),) if address in _WILDCARDS else (address,)


def addresses_of(config: Config, api: socket.socket, agents: socket.socket, xds_port: int) -> Addresses:
    """Where the sockets of a configuration are reached."""
    host = hosts_of(config.address)[0]
    host = f"[{host}]" if ":" in host else host
    return Addresses(
        api=f"https://{host}:{api.getsockname()[1]}",
        xds=f"{host}:{xds_port}",
        agents=f"https://{host}:{agents.getsockname()[1]}",
        oidc_issuer_url=config.oidc.issuer if config.oidc else "",
        oidc_client_id=config.oidc.client_id if config.oidc else "",
    )
