"""``weft token``: the join tokens by which workloads prove themselves once."""

from typing import Any

import click
import msgspec

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION, told
from weft.cli.errors import Usage
from weft.cli.listing import How, Shown, Where, listing, namespace_of, placed, show
from weft.cli.talk import give, say

_RBAC = "rbac.authorization.k8s.io"


@click.group()
def command() -> None:
    """Create, list and revoke the join tokens of workloads."""


@command.command("create")
@click.option("-n", "--namespace", required=True, help="The namespace of the workload.")
@click.option("--service-account", default="", help="The account that the workload will run as; default: --service.")
@click.option(
    "--service", "services", multiple=True, help="A service that the account may serve, besides its own name."
)
@click.option("--joins", multiple=True, metavar="ACCOUNT", help="A host: whose workloads it may let join.")
@click.option("--gateway", is_flag=True, help="Let the account read the namespace's Secrets, as a gateway must.")
@click.option("--ttl", type=DURATION, default="10m", show_default=True, help="How long the token can be used.")
@click.option("--host", default="", metavar="ADDRESS|CIDR", help="Where alone the token can be used.")
@connected
def create(
    connection: Connection,
    namespace: str,
    service_account: str,
    services: tuple[str, ...],
    joins: tuple[str, ...],
    gateway: bool,
    ttl: float,
    host: str,
) -> None:
    """Create a token that one workload can use once; only the token goes to stdout.

    An account may serve the service of its own name. --service lets it serve others, --gateway lets its proxies have
    certificates with their keys, --joins makes it a host that lets others join: by a Role and a RoleBinding that stay
    when the token is used.
    """
    account = service_account or (services[0] if len(services) == 1 else "")
    if not account:
        raise Usage("nothing says which account it is for", help="give --service-account")
    wanted = {"namespace": namespace, "serviceAccount": account, "ttlSeconds": ttl, "host": host}
    with Client(connection) as client:
        for service in services:
            if service != account:
                _let_serve(client, namespace, account, service)
        if gateway:
            _let_read(client, namespace, account)
        if joins:
            _let_join(client, namespace, account, joins)
        created = client.post("/weft/v1/tokens", wanted)
    give(created["token"])
    say(f"for {account} in {namespace}, once, within {told(ttl)}{f', from {host}' if host else ''}")


def _let_serve(client: Client, namespace: str, account: str, service: str) -> None:
    """Write the role and its binding, as anybody could."""
    rule = {"apiGroups": [""], "resources": ["services"], "resourceNames": [service], "verbs": ["serve"]}
    told = _bind(client, namespace, account, (f"serve-{service}", rule), f"{account}-serves-{service}")
    say(f"{account} may serve {service}: {told}")


def _let_read(client: Client, namespace: str, account: str) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    told = _bind(client, namespace, account, ("read-secrets", rule), f"{account}-reads-secrets")
    say(f"{account} may read the Secrets of {namespace}: {told}")


def _let_join(client: Client, namespace: str, host: str, accounts: tuple[str, ...]) -> None:
    names = sorted(set(accounts))
    rule = {"apiGroups": ["weft.dev"], "resources": ["jointokens"], "resourceNames": names, "verbs": ["create"]}
    told = _bind(client, namespace, host, (f"{host}-joins", rule), f"{host}-joins")
    say(f"{host} may let {', '.join(names)} join: {told}")


def _bind(client: Client, namespace: str, account: str, role: tuple[str, dict[str, Any]], binding: str) -> str:
    """A role of one rule, given to the account; what was written, in words."""
    name, rule = role
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": account}
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    _apply(client, namespace, "Role", name, {"rules": [rule]})
    _apply(client, namespace, "RoleBinding", binding, {"subjects": [subject], "roleRef": reference})
    return f"Role {name}, RoleBinding {binding}"


def _apply(client: Client, namespace: str, kind: str, name: str, content: dict[str, Any]) -> None:
    document = {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
    path = f"/apis/{_RBAC}/v1/namespaces/{namespace}/{kind.lower()}s/{name}"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    body = msgspec.json.encode(document | content)
    client.ask("PATCH", path, params={"fieldManager": "weft", "force": "true"}, content=body, headers=headers)


@command.command("list")
@placed
@listing
@connected
def list_tokens(connection: Connection, where: Where, how: How) -> None:
    """List the tokens that were not used yet; none can be shown again."""
    with Client(connection) as client:
        show(how, lambda: where.kept(client.get("/weft/v1/tokens"), namespace_of), _SHOWN)


@command.command("revoke")
@click.argument(
    "ids", nargs=-1, required=True, metavar="ID...", shell_complete=live_names.listed("tokens", "serviceAccount")
)
@connected
def revoke(connection: Connection, ids: tuple[str, ...]) -> None:
    """Make tokens useless; IDs are those of `weft token list`."""
    with Client(connection) as client:
        for one in ids:
            client.ask("DELETE", f"/weft/v1/tokens/{one}")
            give(f"token {one} revoked")


_SHOWN = Shown(
    name=lambda one: str(one["id"]),
    head=("id", "namespace", "service account", "host", "expires in"),
    cells=lambda one: [one["id"], one["namespace"], one["serviceAccount"], one["host"] or "-", told(one["expiresIn"])],
    none="no join tokens are waiting to be used",
)
