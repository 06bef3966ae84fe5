"""``weft delete``: by file, or by kind and name."""

from collections.abc import Sequence

import click

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Usage
from weft.cli.kinds import Kinds
from weft.cli.located import located
from weft.cli.manifests import manifests_of, with_files
from weft.cli.talk import give, say
from weft.kit.errors import Missing


@click.command()
@click.argument("kind", required=False, shell_complete=live_names.kinds())
@click.argument("objects", nargs=-1, metavar="[NAME]...", shell_complete=live_names.objects())
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace to look in.")
@click.option("--ignore-not-found", is_flag=True, help="What is not there counts as deleted.")
@connected
def command(
    connection: Connection,
    kind: str | None,
    objects: tuple[str, ...],
    names: tuple[str, ...],
    recursive: bool,
    namespace: str,
    ignore_not_found: bool,
) -> None:
    """Delete documents by file or by name.

    `weft delete -f FILE`, or `weft delete KIND NAME`.
    """
    if kind is not None and "/" in kind:
        kind, _, name = kind.partition("/")
        objects = (name, *objects)
    if bool(names) == bool(kind) or bool(kind) != bool(objects):
        raise Usage(
            "it is not clear what to delete", help="call it as `weft delete -f FILE` or `weft delete KIND NAME`"
        )
    with Client(connection) as client:
        kinds = Kinds(client)
        if kind is None:
            found = located(manifests_of(names, recursive=recursive), kinds, namespace)
            _delete(client, [(str(one), one.path) for one in reversed(found)], ignore_not_found)
        else:
            served = kinds.named(kind)
            targets = [(f"{served.full_name}/{name}", served.path(namespace, name)) for name in objects]
            _delete(client, targets, ignore_not_found)


def _delete(client: Client, targets: Sequence[tuple[str, str]], ignore_not_found: bool) -> None:
    """Delete all that can be; what was not there is an error after the rest is done."""
    missing = []
    for label, path in targets:
        try:
            client.ask("DELETE", path)
        except Missing:
            missing.append(label)
        else:
            give(f"{label} deleted")
    if not missing:
        return
    if not ignore_not_found:
        raise Missing(f"{', '.join(missing)} not found", help="`--ignore-not-found` makes this no error")
    say(f"{', '.join(missing)} not found")
