"""``weft auth``: who may use the control plane: API tokens, and questions about one's own permissions."""

from pathlib import Path
from typing import Any

import click

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION, told
from weft.cli.listing import How, Shown, listing, show
from weft.cli.login import credential, login, logout
from weft.cli.talk import give, say
from weft.kit.errors import Denied, UserError
from weft.kit.files import write_whole

_READ = ("get", "list", "watch")
_VERBS = (*_READ, "create", "update", "patch", "delete")
_TOKENS = "/weft/v1/api-tokens"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@click.group()
def command() -> None:
    """Log in, manage API tokens and ask what one may do."""


command.add_command(login)
command.add_command(logout)
command.add_command(credential)


@command.group("token")
def token() -> None:
    """Create, list and revoke the API tokens of people and programs."""


@token.command("create")
@click.option("--user", default="", help="Whose token it is; your own if unset.")
@click.option("--group", "groups", multiple=True, help="A group of the user; several are possible.")
@click.option("-n", "--namespace", "namespaces", multiple=True, help="Limit it to a namespace; several are possible.")
@click.option("--verb", "verbs", multiple=True, help="Limit it to a verb; several are possible.")
@click.option("--read-only", is_flag=True, help="Limit the token to get, list and watch.")
@click.option("--ttl", type=DURATION, default="30d", show_default=True, help="How long the token holds.")
@click.option("--to-file", type=click.Path(path_type=Path), help="Write the token to a file that only you can read.")
@connected
def create(
    connection: Connection,
    user: str,
    groups: tuple[str, ...],
    namespaces: tuple[str, ...],
    verbs: tuple[str, ...],
    read_only: bool,
    ttl: float,
    to_file: Path | None,
) -> None:
    """Create a token; what it may do is said by the roles of its user, within the limits that are given here."""
    if read_only and verbs:
        raise UserError("--read-only and --verb exclude each other", help="name the verbs, or use --read-only alone")
    wanted = {"user": user, "groups": groups, "namespaces": namespaces, "ttlSeconds": ttl}
    with Client(connection) as client:
        created = client.post(_TOKENS, wanted | {"verbs": _READ if read_only else verbs})
    if to_file is not None:
        write_whole(to_file, f"{created['token']}\n".encode(), 0o600)
    else:
        give(created["token"])
    say(f"token {created['id']} for {created['user']}, within {told(ttl)}{_limits(created)}")


@token.command("list")
@listing
@connected
def list_tokens(connection: Connection, how: How) -> None:
    """List the tokens that hold: your own, or all if you may; none can be shown again."""
    with Client(connection) as client:
        show(how, lambda: client.get(_TOKENS), _SHOWN)


@token.command("revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=live_names.listed("api-tokens", "user"))
@connected
def revoke(connection: Connection, ids: tuple[str, ...]) -> None:
    """Make tokens useless at once; IDs are those of `weft auth token list`."""
    with Client(connection) as client:
        for one in ids:
            client.ask("DELETE", f"{_TOKENS}/{one}")
            give(f"token {one} revoked")


@command.command("can-i")
@click.argument("verb", shell_complete=live_names.of(*_VERBS))
@click.argument("resource", shell_complete=live_names.kinds())
@click.argument("name", required=False, default="")
@click.option("-n", "--namespace", default="default", show_default=True, help="The namespace; with -A all of them.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace, or of the cluster.")
@connected
def can_i(connection: Connection, verb: str, resource: str, name: str, namespace: str, all_namespaces: bool) -> None:
    """Say whether you may do something: VERB on RESOURCE (virtualservices, secrets, proxies.weft.dev) or on a /path."""
    where = "" if all_namespaces else namespace
    with Client(connection) as client:
        if resource.startswith("/"):
            attributes: dict[str, Any] = {"nonResourceAttributes": {"verb": verb, "path": resource}}
        else:
            plural, _, group = resource.partition(".")
            group = group or _group_of(client, plural)
            asked = {"verb": verb, "group": group, "resource": plural, "namespace": where, "name": name}
            attributes = {"resourceAttributes": asked}
        answer = client.post(_REVIEWS, {"spec": attributes})
    if not answer["status"]["allowed"]:
        raise Denied(f"you may not {verb} {resource}", help="ask who administers the control plane for a role")
    give("yes")


@command.command("whoami")
@listing
@connected
def whoami(connection: Connection, how: How) -> None:
    """Show as whom the control plane knows you."""
    with Client(connection) as client:

        def ask() -> Any:
            return {
                "items": [client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]["userInfo"]]
            }

        show(how, ask, _WHO)


def _group_of(client: Client, plural: str) -> str:
    """The group of a resource that was named without it; the core's when no other has it."""
    for group in client.get("/apis")["groups"]:
        version = group["preferredVersion"]["groupVersion"]
        if any(one["name"] == plural for one in client.get(f"/apis/{version}")["resources"]):
            return str(group["name"])
    return ""


def _row(token: dict[str, Any]) -> list[str]:
    groups = ",".join(token["groups"]) or "-"
    return [token["id"], token["user"], groups, _limits(token).lstrip(", ") or "-", told(token["expiresIn"])]


def _limits(token: dict[str, Any]) -> str:
    parts = (f"{'/'.join(token[name])} only" for name in ("verbs", "namespaces") if token[name])
    return "".join(f", {part}" for part in parts)


_WHO = Shown(
    name=lambda one: str(one["username"]),
    head=("user", "groups"),
    cells=lambda one: [one["username"], ",".join(one["groups"]) or "-"],
)
_SHOWN = Shown(
    name=lambda one: str(one["id"]),
    head=("id", "user", "groups", "limits", "expires in"),
    cells=_row,
    none="there are no API tokens",
)
