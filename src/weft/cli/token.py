"""``weft token``: the join tokens by which workloads prove themselves once."""

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION, told
from weft.cli.tables import table
from weft.cli.talk import give, say


@click.group()
def command() -> None:
    """Create, list and revoke the join tokens of workloads."""


@command.command("create")
@click.option("-n", "--namespace", required=True, help="The namespace of the workload.")
@click.option("--service-account", required=True, help="The account that the workload will run as.")
@click.option("--ttl", type=DURATION, default="10m", show_default=True, help="How long the token can be used.")
@connected
def create(connection: Connection, namespace: str, service_account: str, ttl: float) -> None:
    """Create a token that one workload can use once; only the token goes to stdout."""
    wanted = {"namespace": namespace, "serviceAccount": service_account, "ttlSeconds": ttl}
    with Client(connection) as client:
        created = client.post("/weft/v1/tokens", wanted)
    give(created["token"])
    say(f"for {service_account} in {namespace}, once, within {told(ttl)}")


@command.command("list")
@connected
def list_tokens(connection: Connection) -> None:
    """List the tokens that were not used yet; none can be shown again."""
    with Client(connection) as client:
        found = client.get("/weft/v1/tokens")["items"]
    if not found:
        say("no join tokens are waiting to be used")
        return
    rows = [[one["id"], one["namespace"], one["serviceAccount"], told(one["expiresIn"])] for one in found]
    give(table(["id", "namespace", "service account", "expires in"], rows))


@command.command("revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@connected
def revoke(connection: Connection, ids: tuple[str, ...]) -> None:
    """Make tokens useless; IDs are those of `weft token list`."""
    with Client(connection) as client:
        for one in ids:
            client.ask("DELETE", f"/weft/v1/tokens/{one}")
            give(f"token {one} revoked")
