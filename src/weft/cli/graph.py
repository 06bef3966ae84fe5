"""``weft graph``: who calls whom and how well, as a picture, for other programs, or as a table."""

import sys
from pathlib import Path

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.graph_svg import png, svg
from weft.cli.graph_texts import Answer, dot, mermaid, secured
from weft.cli.listing import LISTED, How, repeat, written
from weft.cli.live_names import objects
from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.cli.traffic import Asked, asking, milliseconds, percent, rate, size
from weft.kit.errors import UserError

_OUTPUTS = (*LISTED, "svg", "png", "dot", "mermaid")
_HEAD = ("source", "target", "protocol", "secured", "rate", "success", "p50", "p99", "conns", "in", "out", "health")


@click.command()
@click.argument("service", default="", metavar="[SERVICE]", shell_complete=objects("services"))
@click.option(
    "--by", type=click.Choice(["service", "workload", "version"]), default="service", show_default=True,
    help="What a node stands for.",
)  # fmt: skip
@click.option("-f", "--file", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
@asking(_OUTPUTS, listed=False)
@connected
def command(connection: Connection, service: str, by: str, file: Path | None, asked: Asked) -> None:
    """Draw the service graph: who calls whom, how it is secured and how it goes.

    With SERVICE only what it calls and is called by. Lines are dashed where calls were not secured by mutual TLS.
    """
    if asked.output == "png" and file is None and sys.stdout.isatty():
        raise UserError("a PNG is nothing for a terminal", help="name a file with -f, or redirect the output")
    about = {"by": by} | ({"service": service} if service else {})
    with Client(connection) as client:
        how = How(output=asked.output, watch=asked.watch)
        repeat(how, lambda: client.get("/weft/v1/graph", **asked.params, **about), lambda one: _show(one, asked, file))


def _show(answer: Answer, asked: Asked, file: Path | None) -> None:
    if not answer["edges"] and asked.output in ("table", "wide"):
        where = f" in namespace {asked.namespace}" if asked.namespace else ""
        say(f"no traffic{where} {asked.period}")
        return
    if asked.output == "png":
        _write_bytes(png(answer), file)
    elif file is not None:
        file.write_text(f"{_text(answer, asked.output)}\n", encoding="utf-8")
    else:
        give(_text(answer, asked.output))


def _text(answer: Answer, output: str) -> str:
    match output:
        case "dot":
            return dot(answer)
        case "mermaid":
            return mermaid(answer)
        case "svg":
            return svg(answer)
        case "json" | "yaml":
            return written(answer, output)
        case "name":
            return "\n".join(f"{edge['source']} -> {edge['target']}" for edge in answer["edges"])
        case _:
            return table(_HEAD, [_row(edge) for edge in answer["edges"]])


def _row(edge: Answer) -> tuple[str, ...]:
    latency, calls = edge["latency"], edge["requests"] > 0
    secured_by = "-" if edge["mutualTls"] is None else "mTLS" if secured(edge) else percent(edge["mutualTls"])
    return (
        edge["source"],
        edge["target"],
        edge["protocol"],
        "plaintext" if edge["mutualTls"] == 0 else secured_by,
        rate(edge["rate"]) if calls else "-",
        percent(edge["success"]),
        milliseconds(latency["p50"]),
        milliseconds(latency["p99"]),
        str(edge["connections"]["opened"]),
        size(edge["received"] or edge["requestBytes"]),
        size(edge["sent"] or edge["responseBytes"]),
        edge["health"],
    )


def _write_bytes(content: bytes, file: Path | None) -> None:
    if file is None:
        sys.stdout.buffer.write(content)
    else:
        file.write_bytes(content)
