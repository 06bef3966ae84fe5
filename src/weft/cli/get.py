"""``weft get``: documents as the server's table, as JSON or YAML, once or as they change."""

from typing import Any

import click
import msgspec
import yaml

from weft.cli.client import JSON, Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Usage
from weft.cli.kinds import Kinds, Served
from weft.cli.live_names import kinds, objects
from weft.cli.tables import aligned, table, widths
from weft.cli.talk import give, say
from weft.kit.errors import UserError

_TABLE = f"application/json;as=Table;v=v1;g=meta.k8s.io,{JSON}"


class Column(msgspec.Struct):
    """A column of the server's ``Table``; those of priority 0 are always shown."""

    name: str
    priority: int = 0


class Row(msgspec.Struct):
    """A row of the server's ``Table``."""

    cells: list[Any]
    object: dict[str, Any] = {}


class Table(msgspec.Struct, rename="camel"):
    """The server's ``Table`` (meta.k8s.io/v1); events of a watch leave the columns out."""

    column_definitions: list[Column] = []
    rows: list[Row] = []
    metadata: dict[str, Any] = {}


class Wanted(msgspec.Struct):
    """What the user asked for."""

    served: Served
    name: str
    namespace: str | None
    selector: str
    output: str

    @property
    def path(self) -> str:
        """Where it is."""
        return self.served.path(self.namespace, self.name)

    @property
    def params(self) -> dict[str, str]:
        """How it is narrowed."""
        return {"labelSelector": self.selector} if self.selector else {}


@click.command()
@click.argument("kind", shell_complete=kinds())
@click.argument("name", required=False, default="", shell_complete=objects())
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace to look in.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them.")
@click.option("-l", "--selector", default="", metavar="KEY=VALUE,...", help="Only what has these labels.")
@click.option("-o", "--output", type=click.Choice(["table", "wide", "json", "yaml", "name"]), default="table")
@click.option("-w", "--watch", is_flag=True, help="Go on and show every change, until Ctrl-C.")
@connected
def command(
    connection: Connection,
    kind: str,
    name: str,
    namespace: str,
    all_namespaces: bool,
    selector: str,
    output: str,
    watch: bool,
) -> None:
    """List documents, or show one.

    KIND may be singular, plural or short: `weft get vs`.
    """
    kind, _, named = kind.partition("/")
    name = name or named
    if name and (all_namespaces or selector):
        raise Usage("a name cannot be combined with -A or -l", help="leave the name out, or those options")
    with Client(connection) as client:
        served = Kinds(client).named(kind)
        place = None if all_namespaces or not served.namespaced else namespace
        wanted = Wanted(served=served, name=name, namespace=place, selector=selector, output=output)
        show = _show_table if output in ("table", "wide") else _show_objects
        show(client, wanted, watch)


def _show_table(client: Client, wanted: Wanted, watch: bool) -> None:
    answer = msgspec.convert(client.get(wanted.path, accept=_TABLE, **wanted.params), Table)
    columns = _columns(answer, wanted)
    across = wanted.namespace is None and wanted.served.namespaced
    head = (["namespace"] if across else []) + [column.name for _, column in columns]
    rows = [_cells(row, columns, across) for row in answer.rows]
    if not rows and not watch:
        where = f" in namespace {wanted.namespace}" if wanted.namespace else ""
        say(f"no {wanted.served.plural}{where}")
        return
    give(table(head, rows))
    if watch:
        sizes = widths([head, *rows])
        for event in _events(client, wanted, answer.metadata.get("resourceVersion", ""), _TABLE):
            for row in msgspec.convert(event["object"], Table).rows:
                give(aligned(_cells(row, columns, across), sizes))


def _columns(answer: Table, wanted: Wanted) -> list[tuple[int, Column]]:
    numbered = enumerate(answer.column_definitions)
    return [(index, column) for index, column in numbered if column.priority == 0 or wanted.output == "wide"]


def _cells(row: Row, columns: list[tuple[int, Column]], across: bool) -> list[str]:
    shown = ["" if row.cells[index] is None else str(row.cells[index]) for index, _ in columns]
    namespace: str = row.object.get("metadata", {}).get("namespace", "")
    return [namespace, *shown] if across else shown


def _show_objects(client: Client, wanted: Wanted, watch: bool) -> None:
    answer = client.get(wanted.path, **wanted.params)
    if wanted.output == "name":
        items = [answer] if wanted.name else answer["items"]
        for item in items:
            give(_name(wanted, item))
    else:
        give(_written(answer, wanted.output, lines=False))
    if watch:
        for event in _events(client, wanted, answer["metadata"].get("resourceVersion", ""), JSON):
            named = wanted.output == "name"
            give(_name(wanted, event["object"]) if named else _written(event, wanted.output, lines=True))


def _name(wanted: Wanted, item: dict[str, Any]) -> str:
    return f"{wanted.served.full_name}/{item['metadata']['name']}"


def _written(content: Any, output: str, *, lines: bool) -> str:
    if output == "yaml":
        text: str = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
        return f"---\n{text.rstrip()}" if lines else text.rstrip()
    encoded = msgspec.json.encode(content)
    return (encoded if lines else msgspec.json.format(encoded, indent=2)).decode()


def _events(client: Client, wanted: Wanted, since: str, accept: str) -> Any:
    """The events of a watch that tell of documents."""
    narrowed = {"fieldSelector": f"metadata.name={wanted.name}"} if wanted.name else wanted.params
    path = wanted.served.path(wanted.namespace)
    for line in client.lines(path, accept=accept, watch="1", resourceVersion=since, **narrowed):
        event: dict[str, Any] = msgspec.json.decode(line) if line.strip() else {"type": "BOOKMARK"}
        if event["type"] == "ERROR":
            raise UserError(f"the watch ended: {event['object'].get('message', 'no reason given')}")
        if event["type"] != "BOOKMARK":
            yield event
